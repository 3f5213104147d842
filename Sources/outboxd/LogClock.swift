// The time of a line of the log as text. Never reads a clock.

import Foundation
import Synchronization

/// Writes times as `2026-11-23T14:05:09.123Z`.
///
/// Lines come close together, and Foundation takes longer for a time than all else in a line does. So the text of the last
/// second is kept.
final class LogClock: Sendable {
    /// A whole second since Foundation's reference date, and its text with three zeros for the milliseconds.
    private let last = Mutex<(second: Double, octets: [UInt8])>((.nan, []))

    /// The time in UTC (RFC 3339) and in ASCII, in whole milliseconds, truncated.
    func octets(at time: Date) -> [UInt8] {
        let seconds = time.timeIntervalSinceReferenceDate
        let second = seconds.rounded(.down)
        var octets = last.withLock { last in
            if last.second != second {
                let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
                last = (second, Array(Date(timeIntervalSinceReferenceDate: second).formatted(style).utf8))
            }
            return last.octets
        }
        let milliseconds = Int((seconds - second) * 1000)
        let end = octets.count - 1
        octets[end - 3] += UInt8(milliseconds / 100)
        octets[end - 2] += UInt8(milliseconds / 10 % 10)
        octets[end - 1] += UInt8(milliseconds % 10)
        return octets
    }
}
