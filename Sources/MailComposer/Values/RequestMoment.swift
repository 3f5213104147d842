// Describes in words when a mail was requested. Reads only the row's times, so that every attempt has the same text.

import OutboxCore

/// When a mail was requested. Two mails to one person differ in this text, so that a mail program has no reason to hide
/// the newer one as a repetition of the older one.
struct RequestMoment {
    let requestedAt: Timestamp
    /// When the first attempt began.
    let sentAt: Timestamp

    /// After this time, a time without a date might be mistaken for a time of another day.
    private static let longestWithoutDate = Duration.seconds(12 * 3600)

    /// `14:03 UTC` soon after the request, with the date more than 12 hours after it.
    func text(in words: TimeWords, zone: ReaderZone) -> String {
        let fields = zone.fields(at: requestedAt)
        return sentAt.timeSince(requestedAt) <= Self.longestWithoutDate
            ? words.clock(fields, zone: zone.name) : words.dateAndClock(fields, zone: zone.name)
    }
}
