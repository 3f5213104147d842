// One line of the log as octets, with its values in quotes where they need them. Never writes it.

import InternetMessage

/// A line of the log while it is put together.
struct LogLine {
    /// Nearly all lines are at most this long.
    private static let usualLength = 300

    /// The line so far, in UTF-8.
    private(set) var octets: [UInt8] = []

    init() { octets.reserveCapacity(Self.usualLength) }

    mutating func append(_ text: String) { octets += text.utf8 }

    mutating func append(_ text: [UInt8]) { octets += text }

    /// Appends ` key=value`, the value in quotes where it has spaces. A line break in a value must not begin a new line, and
    /// no control character may move the cursor of a person who reads the log.
    mutating func append(_ key: String, _ value: String) {
        octets.append(UInt8(ascii: " "))
        octets += key.utf8
        octets.append(UInt8(ascii: "="))
        let start = octets.count
        octets += value.utf8
        // Nearly every value is plain ASCII, for which checking each character's Unicode properties would be a waste.
        if octets.count > start, octets[start...].allSatisfy(\.isPlain) { return }
        octets.removeSubrange(start...)
        octets += value.quoted.utf8
    }
}

extension UInt8 {
    /// A visible character of ASCII that needs no quotes.
    fileprivate var isPlain: Bool {
        (0x21...0x7E).contains(self) && self != UInt8(ascii: "\"") && self != UInt8(ascii: "=")
    }
}

extension String {
    /// The text, in quotes where it is empty or has a space, a control character, a quote or an equals sign.
    fileprivate var quoted: String {
        let needsQuotes = unicodeScalars.contains { scalar in
            scalar.properties.isWhitespace || scalar.isControl || scalar == "\"" || scalar == "="
        }
        return isEmpty || needsQuotes ? "\"\(escaped)\"" : self
    }
}
