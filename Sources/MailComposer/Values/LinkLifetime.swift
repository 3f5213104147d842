// Describes in words how long a link works. Reads only the row's times, so that every attempt has the same text.

import MailTemplates
import OutboxCore

/// How long a link works, from when, and when it stops.
struct LinkLifetime {
    /// What the span begins with.
    enum Beginning: String {
        /// The application made the token before it inserted the row.
        case request = "after_request"
        /// The token begins with the first attempt.
        case sending = "after_sending"
    }

    let beginning: Beginning
    let beginsAt: Timestamp
    let expiresAt: Timestamp

    /// The templates' value `expires`: `in` is the span, `at` the time in the reader's zone, and one of `after_request`
    /// and `after_sending` is there.
    func members(in words: TimeWords, zone: ReaderZone) -> [String: JSONValue] {
        [
            "in": .string(words.span(parts)),
            "at": .string(words.dateAndClock(zone.fields(at: expiresAt), zone: zone.name)),
            beginning.rawValue: .bool(true),
        ]
    }

    /// The span in one or two units: minutes up to an hour and a half, then hours and minutes, and from two days on
    /// days and hours.
    ///
    /// Rounded to the nearest minute, because an application's clock reading and the row's may be some milliseconds
    /// apart, and "29 minutes" instead of half an hour would look like a fault. Never less than a minute.
    private var parts: [(count: Int, unit: TimeWords.Unit)] {
        let total = max(1, Int((expiresAt.milliseconds - beginsAt.milliseconds + 30_000) / 60_000))
        let parts: [(count: Int, unit: TimeWords.Unit)] =
            switch total {
            case ...90 where total != 60: [(total, .minute)]
            case ..<2880: [(total / 60, .hour), (total % 60, .minute)]
            default: [(total / 1440, .day), (total % 1440 / 60, .hour)]
            }
        return parts.filter { $0.count > 0 }
    }
}
