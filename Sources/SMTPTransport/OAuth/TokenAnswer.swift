// Reads a token server's answer (RFC 6749 §5). Pure; never asks the server.

import Foundation
import InternetMessage

/// An access token, as the server granted it. No description shows it.
struct TokenGrant: Equatable, CustomStringConvertible, CustomReflectable {
    let accessToken: String
    /// How long the token is valid.
    let lifetime: Duration
    /// A refresh token that replaces the one that was used (RFC 6749 §6).
    let refreshToken: String?

    var description: String { "<token>" }
    var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Why there is no access token.
struct TokenFailure: Error, Equatable {
    enum Kind {
        /// Only an operator, here or at the provider, can change this.
        case refused
        /// Another request may succeed.
        case unavailable
        /// Our side ended the request.
        case interrupted
    }

    let kind: Kind
    /// The server's words, libcurl's or ours. They may quote a secret until they are masked.
    let words: String
}

/// The answer to a request for a token.
enum TokenAnswer {
    /// In octets: RFC 4954 §4 allows the base64 form of a response 12,288 octets.
    static let longestToken = 8192
    /// Used where the server doesn't say how long the token is valid (RFC 6749 §5.1 only recommends it).
    static let assumedLifetime = Duration.seconds(300)
    /// A longer lifetime is cut, so that no arithmetic overflows.
    private static let longestLifetime = 86_400.0
    /// In Unicode scalars. Microsoft's descriptions have some 400, with the identifiers that its support asks for.
    private static let longestWords = 600

    private struct Body: Decodable {
        let accessToken: String?
        let tokenType: String?
        let expiresIn: Seconds?
        let refreshToken: String?
        let error: String?
        let errorDescription: String?

        enum CodingKeys: String, CodingKey {
            case error
            case accessToken = "access_token"
            case tokenType = "token_type"
            case expiresIn = "expires_in"
            case refreshToken = "refresh_token"
            case errorDescription = "error_description"
        }
    }

    /// A number; Microsoft's first version of the endpoint writes it as text.
    private struct Seconds: Decodable {
        let value: Double

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                value = number
            } else if let number = Double(try container.decode(String.self)) {
                value = number
            } else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "expires_in is not a number")
            }
        }
    }

    /// Reads an answer.
    ///
    /// - Parameter status: the HTTP status code.
    static func read(status: Int, body: [UInt8]) -> Result<TokenGrant, TokenFailure> {
        let answer = try? JSONDecoder().decode(Body.self, from: Data(body))
        if let error = answer?.error {
            let description = answer?.errorDescription.map { ": \($0)" } ?? ""
            return failure(status, isTransient: isTransient(status, error), "\(error)\(description)")
        }
        guard (200...299).contains(status) else {
            let words =
                switch status {
                case 300...399: "the server redirects, which is not followed; set token_url to the final address"
                case 404, 405: "there is no token endpoint at this address; check token_url"
                default: "no reason given"
                }
            return failure(status, isTransient: isTransient(status, nil), words)
        }
        guard let answer, let token = answer.accessToken else {
            return failure(status, isTransient: false, "the answer has no access_token; check token_url")
        }
        if let type = answer.tokenType, type.lowercased() != "bearer" {
            return failure(status, isTransient: false, "the token's type is \(type.printable), not Bearer")
        }
        // A control character would end the token's field in AUTH, or the command.
        guard (1...longestToken).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            return failure(status, isTransient: false, "the access_token can't be used in AUTH")
        }
        let lifetime = answer.expiresIn.map { Duration.seconds(min(max($0.value, 0), longestLifetime)) }
        return .success(
            TokenGrant(
                accessToken: token,
                lifetime: lifetime ?? assumedLifetime,
                refreshToken: answer.refreshToken.flatMap { $0.isEmpty ? nil : $0 }
            )
        )
    }

    /// 408 and 429 ask for another attempt (RFC 9110 §15.5.9, RFC 6585 §4), and 5xx is the server's own trouble.
    private static func isTransient(_ status: Int, _ error: String?) -> Bool {
        status >= 500 || status == 408 || status == 429 || error == "temporarily_unavailable" || error == "slow_down"
    }

    private static func failure(
        _ status: Int,
        isTransient: Bool,
        _ words: String
    ) -> Result<TokenGrant, TokenFailure> {
        .failure(
            TokenFailure(
                kind: isTransient ? .unavailable : .refused,
                words: "the token server answered \(status): \(words)".collapsingSpace.limited(to: longestWords)
            )
        )
    }
}
