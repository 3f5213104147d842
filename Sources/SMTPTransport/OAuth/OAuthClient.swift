// Our registration at a token server, as a value. Never sends anything, and no description shows a secret.

/// The client of an OAuth 2.0 token server (RFC 6749) that fetches access tokens for a relay's AUTH.
///
/// With a refresh token the grant is `refresh_token` (§6), otherwise `client_credentials` (§4.4).
package struct OAuthClient: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The address of the token endpoint: https, or http on this machine.
    package let tokenURL: String
    /// The identifier that the provider gave us.
    package let clientID: String
    /// The secret that belongs to it; `nil` for a public client (RFC 6749 §2.1), which needs a refresh token.
    package let clientSecret: String?
    /// The stored refresh token; `nil` for client credentials.
    package let refreshToken: String?
    /// The requested scope; `nil` requests the provider's default.
    package let scope: String?
    /// A PEM file with the certificate authorities to trust for the token server instead of the system's.
    package let caFile: String?

    /// Creates a client; the secrets are passed only to the token server.
    package init(
        tokenURL: String,
        clientID: String,
        clientSecret: String?,
        refreshToken: String? = nil,
        scope: String? = nil,
        caFile: String? = nil
    ) {
        self.tokenURL = tokenURL
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.refreshToken = refreshToken
        self.scope = scope
        self.caFile = caFile
    }

    /// The body of a request for a token, `application/x-www-form-urlencoded`. The client authenticates in the body
    /// (RFC 6749 §2.3.1), as Microsoft and Google document it.
    ///
    /// - Parameter refreshToken: the newest refresh token; the stored one until the server has issued another.
    func form(refreshToken: String?) -> String {
        var fields = [("grant_type", refreshToken == nil ? "client_credentials" : "refresh_token")]
        if let refreshToken { fields.append(("refresh_token", refreshToken)) }
        fields.append(("client_id", clientID))
        if let clientSecret { fields.append(("client_secret", clientSecret)) }
        if let scope { fields.append(("scope", scope)) }
        return fields.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&")
    }

    /// Percent-encodes everything that is not unreserved (RFC 3986 §2.3), also where a form would permit more.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    package var description: String { "<OAuth client>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
