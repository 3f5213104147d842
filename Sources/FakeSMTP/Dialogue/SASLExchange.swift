// The AUTH dialogue of one attempt, as a value. Checks no password and keeps none.

import Crypto
import Foundation

/// A running AUTH exchange (RFC 4954 §4).
enum SASLExchange: Equatable {
    case plain
    case loginUser
    case loginPassword(user: String)
    case cramMD5(challenge: String)
    case xoauth2
    case oauthBearer
    /// Asks for one response and rejects it.
    case failing(challenge: String)

    /// The result of a response.
    enum Outcome: Equatable {
        /// Asks for the next response, with the challenge of this exchange.
        case challenge(SASLExchange)
        case credentials(user: String, password: String)
        /// An access token, which is refused with another challenge (RFC 7628 §3.2.2).
        case bearer(user: String, token: String)
        /// A keyed digest of the challenge (RFC 2195 §2).
        case digest(user: String, digest: String, challenge: String)
        case refused
        /// RFC 4954 §4: `*` cancels.
        case cancelled
        case malformed
    }

    /// Begins an exchange with a mechanism.
    ///
    /// - Parameter fails: the exchange fails, whatever the client responds.
    init(_ mechanism: SASLMechanism, fails: Bool) {
        let challenge: String
        switch mechanism {
        case .plain:
            guard fails else { self = .plain; return }
            challenge = ""
        case .login:
            guard fails else { self = .loginUser; return }
            challenge = "Username:"
        case .cramMD5:
            challenge = "<\(UInt64.random(in: 0 ... .max))@fake-smtp.localhost>"
            guard fails else { self = .cramMD5(challenge: challenge); return }
        case .digestMD5:
            challenge = #"realm="localhost",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8"#
        case .ntlm, .gssapi:
            challenge = ""
        case .xoauth2:
            guard fails else { self = .xoauth2; return }
            challenge = ""
        case .oauthBearer:
            guard fails else { self = .oauthBearer; return }
            challenge = ""
        }
        self = .failing(challenge: challenge)
    }

    /// The base64 challenge for the next response.
    var challenge: String {
        switch self {
        case .plain, .xoauth2, .oauthBearer: ""
        case .loginUser: Self.encoded("Username:")
        case .loginPassword: Self.encoded("Password:")
        case .cramMD5(let challenge), .failing(let challenge): Self.encoded(challenge)
        }
    }

    /// Consumes one response, a line of base64.
    func receive(_ response: String) -> Outcome {
        if response == "*" { return .cancelled }
        // RFC 4954 §4: "=" is an initial response of no octets.
        guard let data = response == "=" ? Data() : Data(base64Encoded: response) else { return .malformed }
        switch self {
        case .plain:
            let parts = data.split(separator: 0, omittingEmptySubsequences: false).map(Self.text)
            guard parts.count == 3, let authorization = parts[0], let user = parts[1], let password = parts[2],
                authorization.isEmpty || authorization == user
            else { return .malformed }
            return .credentials(user: user, password: password)
        case .loginUser:
            guard let user = Self.text(data) else { return .malformed }
            return .challenge(.loginPassword(user: user))
        case .loginPassword(let user):
            guard let password = Self.text(data) else { return .malformed }
            return .credentials(user: user, password: password)
        case .cramMD5(let challenge):
            guard let text = Self.text(data), let space = text.lastIndex(of: " ") else { return .malformed }
            let digest = text[text.index(after: space)...]
            return .digest(user: String(text[..<space]), digest: String(digest), challenge: challenge)
        case .xoauth2:
            return Self.bearer(data, greeting: "user=", rest: 1)
        case .oauthBearer:
            // The GS2 header of RFC 5801 §4, then fields of which only the token counts.
            return Self.bearer(data, greeting: "n,a=", rest: nil)
        case .failing:
            return .refused
        }
    }

    /// What a server asks for that refuses an access token; any response is then refused.
    static let bearerRefusal = SASLExchange.failing(
        challenge: #"{"status":"400","schemes":"Bearer","scope":"https://mail.example.com/"}"#
    )

    /// Reads `user=NAME^Aauth=Bearer TOKEN^A^A`, or `n,a=NAME,^A...auth=Bearer TOKEN^A^A`.
    private static func bearer(_ data: Data, greeting: String, rest: Int?) -> Outcome {
        let fields = data.split(separator: 1, omittingEmptySubsequences: false).map(Self.text)
        let prefix = "auth=Bearer "
        guard fields.count >= 4, fields.suffix(2) == ["", ""], let first = fields[0], first.hasPrefix(greeting),
            rest.map({ fields.count == $0 + 3 }) ?? first.hasSuffix(","),
            let token = fields.compactMap(\.self).first(where: { $0.hasPrefix(prefix) })
        else { return .malformed }
        let user = first.dropFirst(greeting.count)
        return .bearer(
            user: String(rest == nil ? user.dropLast() : user),
            token: String(token.dropFirst(prefix.count))
        )
    }

    /// The answer to CRAM-MD5's challenge by a client that knows the password.
    static func cramDigest(of challenge: String, password: String) -> String {
        let code = HMAC<Insecure.MD5>.authenticationCode(
            for: Data(challenge.utf8),
            using: SymmetricKey(data: Data(password.utf8))
        )
        return code.map { ($0 < 0x10 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func text(_ data: Data) -> String? { String(data: data, encoding: .utf8) }

    private static func encoded(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
