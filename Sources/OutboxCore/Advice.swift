// What to tell the person who waits: stable codes and their sentences. When which one holds is the view's business.

/// One thing the person who waits for a mail should do. The raw values are the codes of the view `outbox_status`,
/// where several, in the order in which to follow them, are joined by a comma.
package enum Advice: String, CaseIterable, Sendable {
    /// The mail is on its way.
    case wait
    /// It may have been sorted out as junk.
    case checkJunk = "check-junk"
    /// Ask for it one more time.
    case resend
    /// Its token no longer works.
    case requestNew = "request-new"
    /// The address does not take mail.
    case fixAddress = "fix-address"
    /// Nothing the person can do alone.
    case contactSupport = "contact-support"

    /// Reads the view's column: codes joined by commas; codes this program doesn't know are left out, because advice
    /// is open to additions.
    package static func codes(in column: String) -> [Advice] {
        column.split(separator: ",").compactMap { Advice(rawValue: String($0)) }
    }

    /// What to say to the person, in English.
    package var sentence: String {
        switch self {
        case .wait: "The mail is on its way; please wait."
        case .checkJunk: "Look in the Junk folder, too."
        case .resend: "If the mail is not there, request it one more time."
        case .requestNew: "The link's time has run out; request a new mail."
        case .fixAddress: "The address did not take the mail; check its spelling and request the mail again."
        case .contactSupport:
            "Follow the \u{201C}Didn\u{2019}t receive \u{2026}?\u{201D} instructions, or contact support."
        }
    }
}
