// The vocabulary of the log: every message delivery writes, constant, with its values as metadata. Never a token,
// a password or a recipient's address: the message's id leads to the address for whoever may see it.

package import Logging
import OutboxCore
import OutboxStore

/// What the store was asked for when it failed.
enum StoreTask {
    case working, recording, renewing, returning, truncating
}

/// What delivery tells the operator.
package struct DeliveryLog: Sendable {
    private let logger: Logger

    /// Makes the vocabulary on top of a logger.
    package init(logger: Logger) {
        self.logger = logger
    }

    func started(connections: Int, relay: String, database: String) {
        logger.info(
            "delivery started",
            metadata: ["relay": "\(relay)", "connections": "\(connections)", "database": "\(database)"]
        )
    }

    func stopping(returned: Int) {
        logger.info("delivery is stopping", metadata: ["returned": "\(returned)"])
    }

    func stopped() { logger.info("delivery stopped") }

    func graceOver(after grace: Duration) {
        logger.warning("shutdown grace is over, ending what is being sent", metadata: ["grace": "\(grace)"])
    }

    func notRecorded(count: Int) {
        logger.error(
            "outcomes were not recorded; their messages are tried again when their leases run out",
            metadata: ["count": "\(count)"]
        )
    }

    func claimed(_ claims: [Claim]) {
        logger.debug("messages claimed", metadata: ["count": "\(claims.count)"])
    }

    func expired(_ ids: [Int64]) {
        for id in ids { logger.warning("message expired unsent", metadata: ["message.id": "\(id)"]) }
    }

    func rescued(_ ids: [Int64]) {
        for id in ids {
            logger.warning("lease ran out, message is tried again", metadata: ["message.id": "\(id)"])
        }
    }

    func storeTrouble(_ task: StoreTask, _ error: any Error) {
        let message: Logger.Message =
            switch task {
            case .working: "the outbox can't be worked on, trying again in a moment"
            case .recording: "outcomes could not be recorded yet, trying again in a moment"
            case .renewing: "leases could not be renewed, trying again in a moment"
            case .returning: "claims could not be given back, their leases will run out"
            case .truncating: "the database's write-ahead log could not be truncated"
            }
        logger.error(message, metadata: ["error": "\(error)"])
    }

    func watchTrouble(_ error: any Error) {
        logger.warning("the database can't be watched at the moment", metadata: ["error": "\(error)"])
    }

    func recorded(_ completions: [Completion], lost: Set<Completion>) {
        for completion in completions {
            if lost.contains(completion) {
                logger.warning("claim was lost, its result is dropped", metadata: completion.identity)
            } else {
                record(completion)
            }
        }
    }

    private func record(_ completion: Completion) {
        var metadata = completion.identity
        switch completion.outcome {
        case .accepted(let reply):
            metadata.describe(reply)
            logger.info("message accepted", metadata: metadata)
        case .deferred(let failure, let scope, let next):
            metadata.describe(failure, scope)
            metadata["next-in"] = "\(next.timeSince(completion.finishedAt).inMilliseconds)ms"
            logger.notice(failure.isUncertain ? "message uncertain" : "message deferred", metadata: metadata)
        case .rejected(let failure, let scope):
            metadata.describe(failure, scope)
            logger.warning("message rejected", metadata: metadata)
        case .expired(let failure, let scope):
            metadata.describe(failure, scope)
            logger.warning("message expired after its last attempt", metadata: metadata)
        case .expiredUnsent:
            logger.warning("message expired unsent", metadata: metadata)
        }
    }
}

extension Completion {
    fileprivate var identity: Logger.Metadata {
        var metadata: Logger.Metadata = [
            "message.id": "\(claim.message.id)", "kind": "\(claim.message.kind)", "attempt": "\(claim.attempt)",
        ]
        if let relay { metadata["relay"] = "\(relay)" }
        return metadata
    }
}

extension Logger.Metadata {
    fileprivate mutating func describe(_ reply: SMTPReply) {
        self["smtp.code"] = "\(reply.code)"
        if let status = reply.enhancedStatus { self["smtp.enhanced"] = "\(status)" }
        if let queueID = reply.queueID { self["queue.id"] = "\(queueID)" }
    }

    fileprivate mutating func describe(_ failure: TransmissionFailure, _ scope: FaultScope) {
        self["stage"] = "\(failure.stage.rawValue)"
        self["fault-of"] = "\(scope.rawValue)"
        if let reply = failure.reply { describe(reply) }
        // A relay may quote the recipient's address in its words; they are kept in the attempt's row instead.
        if failure.reply == nil { self["reason"] = "\(failure.detail)" }
    }
}
