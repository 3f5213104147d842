// Describes in words how long a link works. Reads only the row's two times, so that every attempt has the same text.

import Foundation
import MailTemplates
import OutboxCore

/// How long a link works after the request, and when it stops.
struct LinkLifetime {
    let requestedAt: Timestamp
    let expiresAt: Timestamp

    /// The templates' value `expires`: `in` is the span, `at` the time in UTC.
    ///
    /// | language | `in`                         | `at`                            |
    /// |----------|------------------------------|---------------------------------|
    /// | English  | `30 minutes`                 | `23 November 2026, 14:30 UTC`   |
    /// | Japanese | `30分`                       | `2026年11月23日 14:30（UTC）`   |
    /// | others   | as CLDR has it: `30 Minuten` | `23. November 2026, 14:30 UTC`  |
    func members(in language: Substring) -> [String: JSONValue] {
        let span: String
        switch language {
        case "en":
            span = units.map { "\($0.count) \($0.unit)\($0.count == 1 ? "" : "s")" }.joined(separator: " ")
        case "ja":
            let names: [Unit: String] = [.day: "日", .hour: "時間", .minute: "分"]
            span = units.map { "\($0.count)\(names[$0.unit, default: ""])" }.joined()
        default:
            let seconds = units.reduce(0) { $0 + $1.count * $1.unit.minutes * 60 }
            span = Duration.seconds(seconds).formatted(
                .units(allowed: [.days, .hours, .minutes], width: .wide).locale(Locale(identifier: String(language)))
            )
        }
        let date = UTCDate(expiresAt).dateAndTime(in: language)
        return ["in": .string(span), "at": .string(date)]
    }

    private enum Unit: String, CustomStringConvertible {
        case day, hour, minute

        var minutes: Int {
            switch self {
            case .day: 1440
            case .hour: 60
            case .minute: 1
            }
        }
        var description: String { rawValue }
    }

    /// The span in one or two units: minutes up to an hour and a half, then hours and minutes, and from two days on
    /// days and hours.
    ///
    /// Rounded to the nearest minute, because an application's clock reading and the row's may be some milliseconds
    /// apart, and "29 minutes" instead of half an hour would look like a fault. Never less than a minute.
    private var units: [(count: Int, unit: Unit)] {
        let total = max(1, Int((expiresAt.milliseconds - requestedAt.milliseconds + 30_000) / 60_000))
        let parts: [(count: Int, unit: Unit)] =
            switch total {
            case ...90 where total != 60: [(total, .minute)]
            case ..<2880: [(total / 60, .hour), (total % 60, .minute)]
            default: [(total / 1440, .day), (total % 1440 / 60, .hour)]
            }
        return parts.filter { $0.count > 0 }
    }
}
