// Why a mail is neither a report nor an automatic answer. Never repeats what a stranger sent.

/// Why a report can't be read. Each description says what was expected.
package enum ReportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is longer than a report ever is.
    case tooLarge(limit: Int)
    /// It is some other kind of mail.
    case notAReport(String)
    /// It claims to be a report, and isn't a complete one.
    case malformed(String)

    package var description: String {
        switch self {
        case .tooLarge(let limit):
            "the mail is longer than \(limit) octets, which no report about one of our mails is; it was not read"
        case .notAReport(let reason): "the mail is no report of a mail system, and no automatic answer: \(reason)"
        case .malformed(let reason): "the report is not complete: \(reason)"
        }
    }
}
