// Logs what was changed in a row's variables before they were mailed. Never a value.

import Logging
import Synchronization

/// The variables whose changes are in the log already. The templates limit their number.
final class ChangedVariables: Sendable {
    private let seen = Mutex<Set<String>>([])

    /// Whether the log has not had this variable of this kind yet.
    func isNews(_ kind: String, _ variable: String) -> Bool {
        seen.withLock { $0.insert("\(kind) \(variable)").inserted }
    }
}

extension DeliveryLog {
    /// Logs once for each kind and variable that a value was made harmless: people see it as it was mailed.
    func variablesChanged(_ variables: [String], ofKind kind: String) {
        for variable in variables where changedVariables.isNews(kind, variable) {
            logger.notice(
                """
                a value was changed before it was mailed: it had a link, line breaks, invisible characters or too many \
                characters; such values of this variable are not logged again
                """,
                [.kind: "\(kind)", .variable: "\(variable)"]
            )
        }
    }
}
