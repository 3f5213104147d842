// When a mail was requested, in words. Reads the row's moments and nothing else, so that every attempt says the same.

import OutboxCore

/// When a mail was requested. Two mails to one person differ in it, so that a mail program has no reason to fold the newer
/// one as a repetition of the older.
struct RequestMoment {
    let requestedAt: Timestamp
    /// When the first attempt began.
    let sentAt: Timestamp

    /// From then on a time alone might be taken for one of another day.
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
