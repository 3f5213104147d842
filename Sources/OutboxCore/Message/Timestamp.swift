// A moment as the database and programs represent it. Never reads a clock: callers pass the time in.

import Foundation

/// A moment in milliseconds since the Unix epoch, UTC. All times of the outbox are stored in this form.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    package let milliseconds: Int64

    /// - Parameter milliseconds: milliseconds since 1970-01-01T00:00:00Z.
    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    @inlinable package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The moment `duration` later, truncated to whole milliseconds.
    package static func + (moment: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(milliseconds: moment.milliseconds + duration.inMilliseconds)
    }

    /// The moment `duration` earlier, truncated to whole milliseconds.
    package static func - (moment: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(milliseconds: moment.milliseconds - duration.inMilliseconds)
    }

    /// How long after `earlier` this moment is; negative when it is before.
    package func timeSince(_ earlier: Timestamp) -> Duration {
        .milliseconds(milliseconds - earlier.milliseconds)
    }
}

extension Timestamp {
    /// Reads a time of RFC 3339, with or without a fraction of a second.
    package init?(rfc3339 text: String) {
        let date = [false, true].lazy.compactMap { hasFraction in
            try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: hasFraction))
        }.first
        guard let date else { return nil }
        self.init(milliseconds: Int64((date.timeIntervalSince1970 * 1000).rounded()))
    }

    /// RFC 3339 with milliseconds, in UTC: `2026-01-31T08:15:30.250Z`.
    package var rfc3339: String { "\(day)T\(timeOfDay(milliseconds: true))Z" }

    /// `2026-01-31`, in UTC.
    package var day: String { wholeSeconds.formatted(.iso8601.year().month().day()) }

    /// `08:15:30`, or `08:15:30.250`, in UTC.
    package func timeOfDay(milliseconds: Bool) -> String {
        let time = wholeSeconds.formatted(.iso8601.time(includingFractionalSeconds: false))
        guard milliseconds else { return time }
        // Formats the fraction separately: a Date holds fractions in binary, and would print 826 for 827.
        let fraction = String(self.milliseconds - secondsSinceEpoch * 1000)
        return "\(time).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }

    private var secondsSinceEpoch: Int64 { Int64((Double(milliseconds) / 1000).rounded(.down)) }
    private var wholeSeconds: Date { Date(timeIntervalSince1970: TimeInterval(secondsSinceEpoch)) }
}

/// Programs exchange a moment as text (``rfc3339``).
extension Timestamp: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let moment = Timestamp(rfc3339: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected a time of RFC 3339")
        }
        self = moment
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rfc3339)
    }
}

extension Duration {
    /// The duration in whole milliseconds, truncated.
    package var inMilliseconds: Int64 {
        // `components` divides by its own arithmetic, in a hundred times as many instructions.
        Int64(attoseconds / 1_000_000_000_000_000)
    }
}
