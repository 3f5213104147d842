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

    /// | language | soon after the request | more than 12 hours after it   |
    /// |----------|------------------------|-------------------------------|
    /// | Japanese | `14:03（UTC）`         | `2026年11月23日 14:03（UTC）` |
    /// | others   | `14:03 UTC`            | as `LinkLifetime` has it      |
    func text(in language: Substring) -> String {
        guard sentAt.timeSince(requestedAt) <= Self.longestWithoutDate else {
            return UTCDate(requestedAt).dateAndTime(in: language)
        }
        let clock = UTCDate(requestedAt).clock
        return language == "ja" ? "\(clock)（UTC）" : "\(clock) UTC"
    }
}
