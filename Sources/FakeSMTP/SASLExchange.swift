// The AUTH dialogue of one attempt, PLAIN or LOGIN, as a value. Checks no password and keeps none.

import Foundation

/// A running AUTH exchange (RFC 4954 §4; PLAIN is RFC 4616, LOGIN is what clients agree on).
enum SASLExchange: Equatable {
    case plain
    case loginUser
    case loginPassword(user: String)

    /// What a response leads to.
    enum Outcome: Equatable {
        /// Ask for the next response, with the challenge of that exchange.
        case challenge(SASLExchange)
        case credentials(user: String, password: String)
        /// RFC 4954 §4: `*` cancels.
        case cancelled
        case malformed
    }

    /// Begins with a mechanism, in upper case; `nil` if it is none of ours.
    init?(mechanism: String) {
        switch mechanism {
        case "PLAIN": self = .plain
        case "LOGIN": self = .loginUser
        default: return nil
        }
    }

    /// The base64 challenge that asks for the response due now.
    var challenge: String {
        switch self {
        case .plain: ""
        case .loginUser: Self.encoded("Username:")
        case .loginPassword: Self.encoded("Password:")
        }
    }

    /// Takes one response, a line of base64.
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
        }
    }

    private static func text(_ data: Data) -> String? { String(data: data, encoding: .utf8) }

    private static func encoded(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
