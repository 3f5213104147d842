// Reads protocol, cipher and certificate of a connection from libcurl's words. Pure; verifies nothing.

import Foundation
import InternetMessage
import OutboxCore

/// The words of libcurl about one TLS connection.
struct TLSDetails {
    /// In Unicode scalars; a certificate's fields can be of any length.
    private static let longestField = 200

    private var version: String?
    private var cipher: String?

    /// Notes a line of libcurl's debug text.
    mutating func notes(_ line: String) {
        let opening = "SSL connection using "
        guard line.hasPrefix(opening) else { return }
        // `TLSv1.3 / TLS_AES_256_GCM_SHA384`; newer versions append the key exchange.
        let parts = line.dropFirst(opening.count).components(separatedBy: " / ")
        guard parts.count >= 2 else { return }
        version = parts[0].collapsingSpace.limited(to: Self.longestField)
        cipher = parts[1].collapsingSpace.limited(to: Self.longestField)
    }

    /// The session with the fields of the relay's own certificate, such as `Subject:CN = localhost`; `nil` without TLS.
    func session(certificate fields: [String]) -> TLSSession? {
        guard let version, let cipher else { return nil }
        return TLSSession(
            version: version,
            cipher: cipher,
            certificateName: Self.name(in: fields)?.collapsingSpace.limited(to: Self.longestField),
            certificateExpiresAt: Self.value(of: "Expire date", in: fields).flatMap(Self.moment)
        )
    }

    private static func value(of name: String, in fields: [String]) -> String? {
        fields.first { $0.hasPrefix("\(name):") }.map { String($0.dropFirst(name.count + 1)) }
    }

    private static func name(in fields: [String]) -> String? {
        let subject = value(of: "Subject", in: fields) ?? ""
        if let match = subject.firstMatch(of: /(?:^|[,\/+] ?)CN ?= ?(?<name>[^,]+)/) { return String(match.name) }
        let names = value(of: "X509v3 Subject Alternative Name", in: fields) ?? ""
        return names.firstMatch(of: /DNS:(?<name>[^,]+)/).map { String($0.name) }
    }

    /// OpenSSL's `Nov  7 04:52:11 2026 GMT`, or the `2026-11-07 04:52:11 GMT` of other TLS libraries.
    private static func moment(_ text: String) -> Timestamp? {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let words = text.split(separator: " ").map(String.init)
        if words.count == 5, words[4] == "GMT", let month = months.firstIndex(of: words[0]), let day = Int(words[1]) {
            return Timestamp(rfc3339: "\(words[3])-\(twoDigits(month + 1))-\(twoDigits(day))T\(words[2])Z")
        }
        if words.count == 3, words[2] == "GMT" { return Timestamp(rfc3339: "\(words[0])T\(words[1])Z") }
        return nil
    }

    private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
