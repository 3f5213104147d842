// The lines about a database that was restored, and about the marks by which outboxd notices that.

import Foundation
import Logging
import OutboxCore
package import OutboxStore

extension DeliveryLog {
    /// Logs what the beginning of a run found, if an operator has to know it.
    package func began(_ beginning: RunBeginning, database: String) {
        var metadata: LogValues = [.database: "\(database)"]
        if let held = beginning.held {
            metadata[.count] = "\(held.count)"
            metadata[.heldSince] = "\(held.since.inWords)"
            metadata[.command] = "outboxctl accept-restored"
        }
        switch (beginning.finding, beginning.held) {
        case (.restored(let lastCommit), let held):
            metadata[.lastCommit] = "\(lastCommit.inWords)"
            if held == nil {
                logger.notice("the database was restored to an older state; no message is held", metadata)
            } else {
                logger.warning(
                    "the database was restored to an older state; its open messages are held for a decision",
                    metadata
                )
            }
        case (_, .some):
            logger.warning("messages of a restored database are held for a decision", metadata)
        case (_, nil):
            break
        }
        if case .unreadable(let path) = beginning.finding {
            logger.warning(
                "whether the database was restored can't be told this time, because the mark is damaged",
                [.database: "\(database)", .error: "\(path): no valid mark"]
            )
        }
        for id in beginning.uncertain {
            logger.warning("message was being sent in the restored database", [.messageID: "\(id)"])
        }
        for refusal in beginning.refused {
            logger.error(
                "the database refuses to hold a message of the restored database, which may be sent again; fix the rule",
                [.messageID: "\(refusal.messageID)", .rule: "\(refusal.rule)"]
            )
        }
    }

    /// Logs that the mark can't be kept; nothing else depends on it.
    package func markTrouble(_ trouble: CommitMarkTrouble) {
        logger.warning(
            "a restored database may not be noticed, because the mark can't be kept; mend this and restart outboxd",
            [.error: "\(trouble)"]
        )
    }

    /// Logs that there is no folder for marks.
    package func noMarks() {
        logger.info("a restored database will not be noticed, because CACHE_DIRECTORY names no folder for the mark")
    }
}

extension Timestamp {
    fileprivate var inWords: String { Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601) }
}
