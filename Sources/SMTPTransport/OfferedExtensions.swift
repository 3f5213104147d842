// The extensions that a relay offers in its answer to EHLO, as a value. Never requests anything.

import InternetMessage

/// The service extensions in a relay's last answer to EHLO (RFC 5321 §4.1.1.1). After HELO there are none.
package struct OfferedExtensions: Sendable, Hashable {
    /// RFC 2920.
    package private(set) var hasPipelining = false
    /// RFC 1870.
    package private(set) var hasSize = false
    /// The maximum number of octets in a mail (RFC 1870 §4); `nil` where there is no fixed limit.
    package private(set) var largestMail: Int?
    /// RFC 6152.
    package private(set) var hasEightBitMIME = false
    /// RFC 6531.
    package private(set) var hasSMTPUTF8 = false
    /// RFC 3461.
    package private(set) var hasDSN = false
    /// RFC 2034.
    package private(set) var hasEnhancedStatusCodes = false
    /// The maximum number of mails on a connection: MAILMAX of LIMITS (RFC 9422 §3.1); `nil` where there is none.
    package private(set) var mailsPerConnection: Int?
    /// The mechanisms of AUTH (RFC 4954 §3) in upper case, as the relay orders them.
    package private(set) var mechanisms: [String] = []

    /// No extensions.
    package init() {}

    /// Reads the complete answer, each line `250-text` or `250 text`, with or without its end. The first line is a
    /// greeting.
    package init(answer lines: some Sequence<String>) {
        for line in lines.dropFirst() {
            let words = line.utf8.dropFirst(4).split(whereSeparator: \.isBlank).map { String($0)?.uppercased() ?? "" }
            guard let keyword = words.first else { continue }
            switch keyword {
            case "PIPELINING": hasPipelining = true
            case "SIZE":
                hasSize = true
                // A value that is not a number, or exceeds our integers, counts as no limit.
                largestMail = words.dropFirst().first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
            case "8BITMIME": hasEightBitMIME = true
            case "SMTPUTF8": hasSMTPUTF8 = true
            case "DSN": hasDSN = true
            case "ENHANCEDSTATUSCODES": hasEnhancedStatusCodes = true
            case "LIMITS":
                let name = "MAILMAX="
                let value = words.dropFirst().first { $0.hasPrefix(name) }?.dropFirst(name.count)
                mailsPerConnection = value.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
            case "AUTH":
                for mechanism in words.dropFirst() where !mechanisms.contains(mechanism) {
                    mechanisms.append(mechanism)
                }
            default: break
            }
        }
    }
}
