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
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        var numbers: [Int] = []
        for part in parts {
            let isNumber = part.allSatisfy(\.isASCIIDigit)
            guard (1...3).contains(part.count), isNumber else { return nil }
            numbers.append(part.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) })
        }
        guard [2, 4, 5].contains(numbers[0]) else { return nil }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    package var description: String { "\(statusClass).\(subject).\(detail)" }
}
