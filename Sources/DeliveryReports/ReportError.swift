// Reasons why a mail is neither a report nor an automatic answer. Never repeats text from a stranger.

/// Why a report can't be read. Each description says what was expected.
package enum ReportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The mail is longer than any report.
    case tooLarge(limit: Int)
    /// The mail is of some other kind.
    case notAReport(String)
    /// The mail claims to be a report, but is not a complete one.
    case malformed(String)

    package var description: String {
        switch self {
        case .tooLarge(let limit):
            "the mail is longer than \(limit) octets, the limit for reports; it was not read"
        case .notAReport(let reason): "the mail is neither a mail system's report nor an automatic answer: \(reason)"
        case .malformed(let reason): "the report is not complete: \(reason)"
        }
    }
}
