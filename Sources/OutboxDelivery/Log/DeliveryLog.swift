// The vocabulary of the log: every message of delivery, as constant text with its values as metadata. Never a token, a
// password or a recipient's address: the message's id leads authorised readers to the address.

package import Logging
import OutboxCore
import OutboxStore
import SMTPTransport
import Synchronization

/// The request to the store that failed.
enum StoreTask {
    case working, recording, renewing, returning, truncating, watching, keepingSchema, inspecting, retiring
}

/// The messages of delivery to the operator.
package struct DeliveryLog: Sendable {
    let logger: Logger
    let uptime: @Sendable () -> Duration
    private let troubles = StoreTroubles()
    let pauses = RelayPauses()
    let changedVariables = ChangedVariables()

    /// Creates the vocabulary on top of a logger.
    ///
    /// - Parameter uptime: the time since any fixed moment, by a clock that can't be set.
    package init(logger: Logger, uptime: @escaping @Sendable () -> Duration = Self.machineUptime) {
        self.logger = logger
        self.uptime = uptime
    }

    /// The time since the first use of this clock.
    package static let machineUptime: @Sendable () -> Duration = { [began = ContinuousClock.now] in
        began.duration(to: .now)
    }

    func started(relays: [DeliveryRelay], database: String) {
        let names = relays.map { "\($0.name) (\($0.configuration.connections))" }.joined(separator: ", ")
        logger.info("delivery started", [.relays: "\(names)", .database: "\(database)"])
    }

    /// Logs that the new configuration is in use everywhere.
    package func reloaded(needingRestart: [String], notReadAgain: [String]) {
        var metadata: LogValues = [:]
        if !notReadAgain.isEmpty { metadata[.asAtStart] = "\(notReadAgain.joined(separator: ", "))" }
        guard !needingRestart.isEmpty else {
            return logger.info("the configuration, templates and passwords were read again", metadata)
        }
        metadata[.needsRestart] = "\(needingRestart.joined(separator: ", "))"
        logger.warning(
            "the configuration, templates and passwords were read again; some changes need a restart",
            metadata
        )
    }

    /// Logs that the new configuration was rejected as a whole.
    package func reloadRefused(_ error: any Error) {
        logger.error(
            "reload refused; the old configuration, templates and passwords stay in use",
            [.error: "\(error)"]
        )
    }

    func relaysReconfigured() { logger.debug("every lane uses the new configuration") }

    func stopping(returned: Int) {
        logger.info("delivery is stopping", [.returned: "\(returned)"])
    }

    func stopped() { logger.info("delivery stopped") }

    func graceOver(after grace: Duration) {
        logger.warning("shutdown grace is over, aborting transmissions", [.grace: "\(grace)"])
    }

    func notRecorded(count: Int) {
        logger.error(
            "outcomes were not recorded; their messages are tried again when their leases run out",
            [.count: "\(count)"]
        )
    }

    func relaysRecorded(_ names: [String]) {
        logger.debug("relays recorded", [.relays: "\(names.joined(separator: ", "))"])
    }

    func claimed(_ claims: [Claim]) {
        logger.debug("messages claimed", [.count: "\(claims.count)"])
    }

    func expired(_ ids: [Int64]) {
        for id in ids { logger.warning("message expired unsent", [.messageID: "\(id)"]) }
    }

    func superseded(_ ids: [Int64]) {
        for id in ids { logger.info("message superseded by a newer one", [.messageID: "\(id)"]) }
    }

    func suppressed(_ ids: [Int64]) {
        for id in ids {
            logger.notice("message suppressed, its address rejects mail", [.messageID: "\(id)"])
        }
    }

    func held(_ ids: [Int64]) {
        for id in ids { logger.info("message held by the limit on resends", [.messageID: "\(id)"]) }
    }

    func withoutToken(_ ids: [Int64]) {
        for id in ids {
            logger.error(
                "message rejected: its token is gone from outbox_secret, where only outboxd may delete",
                [.messageID: "\(id)"]
            )
        }
    }

    func withoutRow(_ ids: [Int64]) {
        for id in ids {
            logger.error(
                "message removed: its row in outbox vanished without a DELETE; was the file recovered?",
                [.messageID: "\(id)"]
            )
        }
    }

    /// Logs that a rule of the application on the outbox's tables, such as a trigger, rejects a message's change of
    /// state.
    func refused(_ refusals: [RowRefusal]) {
        for refusal in refusals {
            logger.error(
                "the database refuses to change a message; fix the rule (other messages go on)",
                [.messageID: "\(refusal.messageID)", .rule: "\(refusal.rule)"]
            )
        }
    }

    func rescued(_ ids: [Int64]) {
        for id in ids {
            logger.warning("lease ran out, message is tried again", [.messageID: "\(id)"])
        }
    }

    /// Writes one line per pass that removed something.
    func retired(_ step: RetentionStep, count: Int, longest: Duration, refused: [RowRefusal]) {
        if count > 0 {
            let message: Logger.Message =
                switch step {
                case .messages: "old messages removed"
                case .ids: "ids of removed messages forgotten"
                case .keys: "old idempotency keys forgotten"
                }
            logger.info(message, [.count: "\(count)", .longestLock: "\(longest.inMilliseconds)ms"])
        }
        if let first = refused.first {
            logger.error(
                "old messages can't be removed, a rule of the application keeps them; fix the rule (others go)",
                [.count: "\(refused.count)", .messageID: "\(first.messageID)", .rule: "\(first.rule)"]
            )
        }
    }

    func retentionWaits(for span: Duration, step: Duration) {
        logger.notice(
            "the clock was set forward; old messages are kept until it has been right for a while",
            [.by: "\(step.inMilliseconds)ms", .span: "\(span.inMilliseconds)ms"]
        )
    }

    func endsOutboxd(_ ids: [Int64]) {
        for id in ids {
            logger.error(
                "message rejected: outboxd crashed each time it tried the message alone; please report it",
                [.messageID: "\(id)"]
            )
        }
    }

    /// Logs that the machine's clock was set, forward if positive.
    func clockStepped(by step: Duration, expiryHold: Duration?) {
        var metadata: LogValues = [.by: "\(step.inMilliseconds)ms"]
        if let expiryHold { metadata[.nothingExpiresFor] = "\(expiryHold.inMilliseconds)ms" }
        logger.warning("the machine's clock was set; due times follow it", metadata)
    }

    func triedAlone(_ claims: [Claim]) {
        for claim in claims {
            logger.warning(
                "outboxd died twice while this message was claimed; the message is tried alone",
                [.messageID: "\(claim.message.id)"]
            )
        }
    }

    /// The service is about to end, so that frequent attempts are of no use.
    private static let pauseWhenLost = Duration.seconds(1)

    /// Logs that the store failed. A lasting trouble is logged at once, then at growing intervals.
    ///
    /// - Returns: how long to wait before the next attempt.
    @discardableResult
    func storeTrouble(_ task: StoreTask, _ error: any Error) -> Duration {
        // A lost file is logged once, by the code that ends the service. It is not a trouble that ends, because SQLite
        // goes on with the old file.
        if case OutboxDatabaseError.lost = error { return Self.pauseWhenLost }
        let failure = troubles.log.withLock { $0.failed(task, words: "\(error)", now: uptime()) }
        guard failure.isSaid else { return failure.pause }
        let message: Logger.Message =
            switch task {
            case .working: "the outbox can't be worked on, trying again"
            case .recording: "outcomes could not be recorded yet, trying again"
            case .renewing: "leases could not be renewed, trying again"
            case .returning: "claims could not be returned; their leases will run out"
            case .truncating: "the database's write-ahead log could not be truncated"
            case .watching: "the database can't be watched at the moment"
            case .keepingSchema: "the outbox is not as outboxd made it; messages may not be sent"
            case .inspecting: "the database could not be inspected"
            case .retiring: "old messages could not be removed, trying again later"
            }
        var metadata: LogValues = [.error: "\(error)"]
        if failure.failures > 1 { metadata[.failures] = "\(failure.failures)" }
        logger.error(message, metadata)
        return failure.pause
    }

    /// Notes that the request to the store succeeded.
    func storeWorks(_ task: StoreTask) {
        guard let recovery = troubles.log.withLock({ $0.succeeded(task, now: uptime()) }) else { return }
        logger.notice(
            "the database works again",
            [.after: "\(recovery.after.inWords)", .failures: "\(recovery.failures)"]
        )
    }

    /// Logs that the database file was moved or deleted, and that delivery ends.
    func lost(_ loss: FileLoss) {
        logger.error("the database is lost", [.error: "\(OutboxDatabaseError.lost(loss))"])
    }

    func inspected(_ inspection: Inspection, database: String) {
        switch inspection {
        case .sound:
            logger.debug("the outbox's tables are sound", [.database: "\(database)"])
        case .unfinished(let tables):
            logger.notice(
                "the outbox is too large to be looked through for damage in time; run quick_check on a backup",
                [.database: "\(database)", .tables: "\(tables.joined(separator: ", "))"]
            )
        case .damaged(let findings):
            let shown = findings.prefix(5).joined(separator: "; ")
            logger.error(
                "the database is damaged",
                [.error: "\(OutboxDatabaseError.corrupt(path: database, reason: shown))"]
            )
        }
    }

    /// Logs that another outboxd works on the same file, or no longer does.
    func hasCompany(_ isThere: Bool, database: String) {
        if isThere {
            logger.warning(
                "another outboxd works on the same database: each keeps its own limits and relays' health; stop one of them",
                [.database: "\(database)", .command: "fuser \(database)"]
            )
        } else {
            logger.notice("the other outboxd is gone", [.database: "\(database)"])
        }
    }

    func recorded(_ completions: [Completion], lost: Set<Completion>) {
        for completion in completions {
            if lost.contains(completion) {
                logger.warning("claim was lost; its result is discarded", completion.identity)
            } else {
                record(completion)
            }
        }
    }

    private func record(_ completion: Completion) {
        var metadata = completion.identity
        if let judged = completion.outcome.judgement { metadata.describe(judged) }
        switch completion.outcome {
        case .accepted(let reply):
            metadata.describe(reply)
            let delay = completion.finishedAt.timeSince(completion.claim.message.awaitedFrom)
            metadata[.delay] = .string(String(delay.inMilliseconds) + "ms")
            logger.info("message accepted", metadata)
        case .deferred(let judged, let next):
            metadata[.retryIn] = "\(max(next.timeSince(completion.finishedAt), .zero).inMilliseconds)ms"
            // Faults of the relay are logged once for the relay.
            let level: Logger.Level = judged.counts ? .notice : .debug
            logger.log(
                level: level,
                judged.failure.isUncertain ? "message uncertain" : "message deferred",
                metadata
            )
        case .rejected:
            logger.warning("message rejected", metadata)
        case .expired:
            logger.warning("message expired after its last attempt", metadata)
        case .expiredUnsent:
            logger.warning("message expired unsent", metadata)
        case .supersededUnsent:
            logger.info("message superseded by a newer one", metadata)
        case .cancelledUnsent:
            logger.info("message cancelled by the application", metadata)
        case .returnedUnsent:
            logger.debug("message returned unsent", metadata)
        }
    }
}

/// The state that all copies of one log share.
private final class StoreTroubles: Sendable {
    let log = Mutex(TroubleLog<StoreTask>())
}

extension Duration {
    /// Such as `5m12s`; `250ms` for spans below a second.
    fileprivate var inWords: String {
        let milliseconds = inMilliseconds
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        let parts = [(seconds / 3600, "h"), (seconds % 3600 / 60, "m"), (seconds % 60, "s")]
        return parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
    }
}

extension Completion {
    fileprivate var identity: LogValues {
        var metadata = LogValues()
        metadata[.messageID] = .string(String(claim.message.id))
        metadata[.kind] = .string(claim.message.kind)
        metadata[.attempt] = .string(String(claim.attempt))
        if let relay { metadata[.relay] = .string(relay) }
        return metadata
    }
}
