// Reads and writes times as people write them: 200ms, 1.5s, 2m. Not for dates.

/// A length of time in whole milliseconds, with a text form.
package struct WrittenTime: Sendable, Hashable, CustomStringConvertible {
    /// The length of time.
    package let duration: Duration

    /// A text is not a valid time.
    package struct ParsingError: Error, CustomStringConvertible {
        /// The text.
        package let text: String
        /// What was expected.
        package static let expected = "whole milliseconds as a number with its unit, such as 200ms, 1.5s or 2m"
        /// Both, in one line.
        package var description: String { "'\(text)' is not a time; expected \(Self.expected)" }
    }

    init(_ duration: Duration) {
        self.duration = duration
    }

    /// Parses a number with its unit: `ms`, `s` or `m`; whole milliseconds, from 1 ms to 24 h.
    package init(parsing text: String) throws(ParsingError) {
        let units: [(suffix: String, milliseconds: Double)] = [("ms", 1), ("s", 1_000), ("m", 60_000)]
        guard let unit = units.first(where: { text.lowercased().hasSuffix($0.suffix) }),
            let number = Double(text.dropLast(unit.suffix.count)),
            case let milliseconds = (number * unit.milliseconds).rounded(),
            // 0.3 s is 300 ms, although 0.3 has no exact binary form.
            abs(milliseconds - number * unit.milliseconds) < 1e-6,
            (1...Double(Self.longest.wholeMilliseconds)).contains(milliseconds)
        else { throw ParsingError(text: text) }
        duration = .milliseconds(Int64(milliseconds))
    }

    /// The largest time, 24 hours, so that a mistaken unit is noticed.
    static let longest = Duration.seconds(24 * 60 * 60)

    /// The shortest exact form: `2s`, `1500ms`.
    package var description: String {
        let milliseconds = duration.wholeMilliseconds
        return milliseconds.isMultiple(of: 1_000) ? "\(milliseconds / 1_000)s" : "\(milliseconds)ms"
    }
}
