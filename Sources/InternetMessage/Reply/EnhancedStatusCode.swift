// The enhanced status codes of RFC 3463. Parses and prints them; never judges them.

/// A mail system's classification of a result: class, subject and detail (RFC 3463 §2), such as 4.2.1.
package struct EnhancedStatusCode: Hashable, Sendable, CustomStringConvertible {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    package let statusClass: Int
    /// The subject of the failure: 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content, 7 policy.
    package let subject: Int
    /// The exact condition within the subject.
    package let detail: Int

    /// Creates a code from its numbers.
    package init(_ statusClass: Int, _ subject: Int, _ detail: Int) {
        self.statusClass = statusClass
        self.subject = subject
        self.detail = detail
    }

    /// Reads `class.subject.detail`; `nil` for any other text (RFC 3463 §2 gives the grammar).
    package init?(_ text: some StringProtocol) {
        var bytes = text.utf8.makeIterator()
        guard let statusClass = Self.number(from: &bytes, endsText: false), [2, 4, 5].contains(statusClass),
            let subject = Self.number(from: &bytes, endsText: false),
            let detail = Self.number(from: &bytes, endsText: true)
        else { return nil }
        self.init(statusClass, subject, detail)
    }

    /// Reads one to three digits, with the dot or the end of the text behind them.
    private static func number(from bytes: inout some IteratorProtocol<UInt8>, endsText: Bool) -> Int? {
        var number = 0
        var digits = 0
        while let byte = bytes.next() {
            if byte == UInt8(ascii: ".") { return digits > 0 && !endsText ? number : nil }
            guard byte.isASCIIDigit, digits < 3 else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
            digits += 1
        }
        return digits > 0 && endsText ? number : nil
    }

    package var description: String {
        var text = String(statusClass)
        text += "."
        text += String(subject)
        text += "."
        text += String(detail)
        return text
    }
}
