// Random secrets of cookies, and what is stored of them. Never stores a secret itself.

import Crypto
import Foundation

/// A secret of 256 random bits, as it stands in a cookie.
struct Secret: Sendable, CustomStringConvertible {
    let text: String

    /// A new one.
    init() {
        text = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }.base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// What a cookie holds; `nil` unless it has the form of a secret, so that nobody chooses a short one.
    init?(cookie: String?) {
        guard let cookie, cookie.utf8.count == 43, cookie.isBase64URL else { return nil }
        text = cookie
    }

    /// What the database keeps: from it 256 random bits can't be guessed.
    var digest: Data { Data(SHA256.hash(data: Data(text.utf8))) }

    /// A value that only pages for the cookie's holder contain. Another site can send the cookie with a form, but can't
    /// read it, so it doesn't know this value.
    var formToken: String {
        let code = HMAC<SHA256>.authenticationCode(for: Data("form".utf8), using: SymmetricKey(data: Data(text.utf8)))
        return Data(code).base64EncodedString()
    }

    /// Whether a form has this token; takes the same time wherever a wrong one differs.
    func isFormToken(_ value: String?) -> Bool {
        guard let presented = Data(base64Encoded: value ?? "") else { return false }
        return HMAC<SHA256>.isValidAuthenticationCode(
            presented,
            authenticating: Data("form".utf8),
            using: SymmetricKey(data: Data(text.utf8))
        )
    }

    /// Never the secret.
    var description: String { "[secret]" }
}

extension StringProtocol {
    /// Letters, digits, hyphen and underscore only: what stands in a cookie as it is.
    var isBase64URL: Bool {
        utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
