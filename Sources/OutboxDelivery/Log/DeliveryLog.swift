// The vocabulary of the log: every message delivery writes, constant, with its values as metadata. Never a token,
// a password or a recipient's address: the message's id leads to the address for whoever may see it.

package import Logging
import OutboxCore
import OutboxStore
import SMTPTransport
import Synchronization

/// What the store was asked for when it failed.
enum StoreTask {
    case working, recording, renewing, returning, truncating, watching, inspecting, retiring
}

/// What delivery tells the operator.
package struct DeliveryLog: Sendable {
    private let logger: Logger
    private let uptime: @Sendable () -> Duration
    private let troubles = StoreTroubles()
    private let pauses = RelayPauses()

    /// Makes the vocabulary on top of a logger.
    ///
    /// - Parameter uptime: the time since any fixed moment, by a clock that nobody sets.
    package init(logger: Logger, uptime: @escaping @Sendable () -> Duration = Self.machineUptime) {
        self.logger = logger
        self.uptime = uptime
    }

    /// The time since the log was first asked for one.
    package static let machineUptime: @Sendable () -> Duration = { [began = ContinuousClock.now] in
        began.duration(to: .now)
    }

    func started(relays: [DeliveryRelay], database: String) {
        let names = relays.map { "\($0.relay.name) (\($0.connections))" }.joined(separator: ", ")
        logger.info("delivery started", metadata: ["relays": "\(names)", "database": "\(database)"])
    }

    /// What was read again is in use everywhere.
    package func reloaded(needingRestart: [String], notReadAgain: [String]) {
        var metadata: Logger.Metadata = [:]
        if !notReadAgain.isEmpty { metadata["as-at-start"] = "\(notReadAgain.joined(separator: ", "))" }
        guard !needingRestart.isEmpty else {
            return logger.info("the configuration, templates and passwords were read again", metadata: metadata)
        }
        metadata["needs-restart"] = "\(needingRestart.joined(separator: ", "))"
        logger.warning(
            "the configuration, templates and passwords were read again; a part of it takes a restart",
            metadata: metadata
        )
    }

    /// Nothing of what was read is in use.
    package func reloadRefused(_ error: any Error) {
        logger.error(
            "reload refused; the configuration, templates and passwords from before stay in use",
            metadata: ["error": "\(error)"]
        )
    }

    func relaysReconfigured() { logger.debug("every lane goes by what was read again") }

    /// Once when a relay goes down and once when it is back, but for pauses that come again and again; what is known already
    /// is for debugging.
    func relayChanged(_ relay: DeliveryRelay, _ change: RelayHealth.Change) {
        let name = relay.relay.name
        var metadata: Logger.Metadata = ["relay": "\(name)"]
        switch change {
        case .none:
            break
        case .wentDown(let trouble):
            guard let unsaid = pauses.begins(name, trouble, now: uptime()) else {
                metadata.describe(trouble)
                return logger.debug("relay is paused once more", metadata: metadata)
            }
            sayPaused(relay, trouble, unsaid: unsaid)
        case .becameSuspect(let trouble):
            guard let unsaid = pauses.begins(name, trouble, isSuspicion: true, now: uptime()) else {
                metadata.describe(trouble)
                return logger.debug("relay is suspected once more", metadata: metadata)
            }
            saySuspected(relay, trouble, unsaid: unsaid)
        case .stillDown(let trouble):
            if let (began, unsaid) = pauses.lasts(name, now: uptime()) {
                return began.isSuspicion
                    ? saySuspected(relay, began.trouble, unsaid: unsaid)
                    : sayPaused(relay, began.trouble, unsaid: unsaid)
            }
            metadata.describe(trouble)
            logger.debug("relay is still down", metadata: metadata)
        case .cameBack(let after):
            metadata["after"] = "\(after.inMilliseconds)ms"
            let isSaid = pauses.ends(name, now: uptime())
            logger.log(level: isSaid ? .notice : .debug, "relay is back", metadata: metadata)
        }
    }

    private func sayPaused(_ relay: DeliveryRelay, _ trouble: RelayTrouble, unsaid: Int) {
        var metadata = metadata(relay, trouble, unsaid: unsaid)
        if trouble.scope == .configuration {
            metadata.describe(toMend: trouble, relay)
            logger.error("relay is paused: mend the configuration; no message is lost", metadata: metadata)
        } else {
            logger.warning("relay is paused, and probed until it works again", metadata: metadata)
        }
    }

    private func saySuspected(_ relay: DeliveryRelay, _ trouble: RelayTrouble, unsaid: Int) {
        var metadata = metadata(relay, trouble, unsaid: unsaid)
        if trouble.scope == .configuration { metadata.describe(toMend: trouble, relay) }
        if trouble.reason == .quotaExceeded || trouble.reason == .rateLimited {
            return logger.warning(
                "relay is suspected: it states a quota or rate for one recipient, perhaps for us; no message pays for it",
                metadata: metadata
            )
        }
        let doing =
            trouble.reason == .refusesEverybody
            ? "it refuses everybody; its refusals are provisional, and nobody is suppressed"
            : "it fails every message; no message pays for it"
        logger.error("relay is suspected: \(doing)", metadata: metadata)
    }

    private func metadata(_ relay: DeliveryRelay, _ trouble: RelayTrouble, unsaid: Int) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["relay": "\(relay.relay.name)"]
        metadata.describe(trouble)
        if unsaid > 0 { metadata["pauses-meanwhile"] = "\(unsaid)" }
        return metadata
    }

    /// A relay refused connections while it took messages over others.
    func connectionLimitLearned(_ relay: DeliveryRelay, connections: Int) {
        logger.notice(
            "relay takes fewer connections than configured; outboxd uses as many as it takes",
            metadata: [
                "relay": "\(relay.relay.name)", "connections": "\(connections)",
                "setting": "\(relay.setting): connections",
            ]
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

    func relaysRecorded(_ names: [String]) {
        logger.debug("relays recorded", metadata: ["relays": "\(names.joined(separator: ", "))"])
    }

    func claimed(_ claims: [Claim]) {
        logger.debug("messages claimed", metadata: ["count": "\(claims.count)"])
    }

    func expired(_ ids: [Int64]) {
        for id in ids { logger.warning("message expired unsent", metadata: ["message.id": "\(id)"]) }
    }

    func superseded(_ ids: [Int64]) {
        for id in ids { logger.info("message superseded by a newer one", metadata: ["message.id": "\(id)"]) }
    }

    func suppressed(_ ids: [Int64]) {
        for id in ids {
            logger.notice("message suppressed, its address takes no mail", metadata: ["message.id": "\(id)"])
        }
    }

    func held(_ ids: [Int64]) {
        for id in ids { logger.info("message held by the limit on resends", metadata: ["message.id": "\(id)"]) }
    }

    func withoutToken(_ ids: [Int64]) {
        for id in ids {
            logger.error(
                "message rejected: its token is gone from outbox_secret, where only outboxd may delete",
                metadata: ["message.id": "\(id)"]
            )
        }
    }

    func withoutRow(_ ids: [Int64]) {
        for id in ids {
            logger.error(
                "message removed: its row in outbox is gone, though not by DELETE; was the file recovered?",
                metadata: ["message.id": "\(id)"]
            )
        }
    }

    /// A rule that somebody put on the outbox's tables, such as a trigger, refuses to let a message go on.
    func refused(_ refusals: [RowRefusal]) {
        for refusal in refusals {
            logger.error(
                "the database refuses to change a message; mend the rule, the others go on",
                metadata: ["message.id": "\(refusal.messageID)", "rule": "\(refusal.rule)"]
            )
        }
    }

    func rescued(_ ids: [Int64]) {
        for id in ids {
            logger.warning("lease ran out, message is tried again", metadata: ["message.id": "\(id)"])
        }
    }

    /// One line a pass that removed something.
    func retired(_ step: RetentionStep, count: Int, longest: Duration, refused: [RowRefusal]) {
        if count > 0 {
            let message: Logger.Message =
                switch step {
                case .messages: "old messages removed"
                case .ids: "ids of removed messages forgotten"
                case .keys: "old idempotency keys forgotten"
                }
            logger.info(message, metadata: ["count": "\(count)", "longest-lock": "\(longest.inMilliseconds)ms"])
        }
        if let first = refused.first {
            logger.error(
                "old messages can't be removed, a rule of the application keeps them; mend the rule, the others go",
                metadata: ["count": "\(refused.count)", "message.id": "\(first.messageID)", "rule": "\(first.rule)"]
            )
        }
    }

    func retentionWaits(for span: Duration, step: Duration) {
        logger.notice(
            "the clock was set forward; no old message is removed until it has proved right for a while",
            metadata: ["by": "\(step.inMilliseconds)ms", "for": "\(span.inMilliseconds)ms"]
        )
    }

    func endsOutboxd(_ ids: [Int64]) {
        for id in ids {
            logger.error(
                "message rejected: outboxd ended each time that it tried it alone; please report it",
                metadata: ["message.id": "\(id)"]
            )
        }
    }

    /// The machine's clock was set, forward if positive.
    func clockStepped(by step: Duration, expiryHold: Duration?) {
        var metadata: Logger.Metadata = ["by": "\(step.inMilliseconds)ms"]
        if let expiryHold { metadata["nothing-expires-for"] = "\(expiryHold.inMilliseconds)ms" }
        logger.warning("the machine's clock was set; due times follow it", metadata: metadata)
    }

    func triedAlone(_ claims: [Claim]) {
        for claim in claims {
            logger.warning(
                "outboxd died twice while this message was claimed; it is tried alone",
                metadata: ["message.id": "\(claim.message.id)"]
            )
        }
    }

    /// The store failed. A trouble that lasts is said at once, then ever less often.
    ///
    /// - Returns: how long to wait before it is tried again.
    @discardableResult
    func storeTrouble(_ task: StoreTask, _ error: any Error) -> Duration {
        let failure = troubles.log.withLock { $0.failed(task, words: "\(error)", now: uptime()) }
        // A lost file is said once, by whoever ends the service.
        if case OutboxDatabaseError.lost = error { return failure.pause }
        guard failure.isSaid else { return failure.pause }
        let message: Logger.Message =
            switch task {
            case .working: "the outbox can't be worked on, trying again"
            case .recording: "outcomes could not be recorded yet, trying again"
            case .renewing: "leases could not be renewed, trying again"
            case .returning: "claims could not be given back, their leases will run out"
            case .truncating: "the database's write-ahead log could not be truncated"
            case .watching: "the database can't be watched at the moment"
            case .inspecting: "the database could not be inspected"
            case .retiring: "old messages could not be removed, trying again later"
            }
        var metadata: Logger.Metadata = ["error": "\(error)"]
        if failure.failures > 1 { metadata["failures"] = "\(failure.failures)" }
        logger.error(message, metadata: metadata)
        return failure.pause
    }

    /// The store did what it was asked for.
    func storeWorks(_ task: StoreTask) {
        guard let recovery = troubles.log.withLock({ $0.succeeded(task, now: uptime()) }) else { return }
        logger.notice(
            "the database works again",
            metadata: ["after": "\(recovery.after.inWords)", "failures": "\(recovery.failures)"]
        )
    }

    /// The database's file is not where it was; delivery ends.
    func lost(_ loss: FileLoss) {
        logger.error("the database is lost", metadata: ["error": "\(OutboxDatabaseError.lost(loss))"])
    }

    func inspected(_ inspection: Inspection, database: String) {
        switch inspection {
        case .sound:
            logger.debug("the outbox's tables are sound", metadata: ["database": "\(database)"])
        case .unfinished(let tables):
            logger.notice(
                "the outbox is too large to be looked through for damage in time; do it with quick_check in a backup",
                metadata: ["database": "\(database)", "tables": "\(tables.joined(separator: ", "))"]
            )
        case .damaged(let findings):
            let shown = findings.prefix(5).joined(separator: "; ")
            logger.error(
                "the database is damaged",
                metadata: ["error": "\(OutboxDatabaseError.corrupt(path: database, reason: shown))"]
            )
        }
    }

    /// Another outboxd works on the same file, or did.
    func hasCompany(_ isThere: Bool, database: String) {
        if isThere {
            logger.warning(
                "another outboxd works on the same database: each keeps its own limits and relays' health; stop one of them",
                metadata: ["database": "\(database)", "command": "fuser \(database)"]
            )
        } else {
            logger.notice("the other outboxd is gone", metadata: ["database": "\(database)"])
        }
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
        if let judged = completion.outcome.judgement { metadata.describe(judged) }
        switch completion.outcome {
        case .accepted(let reply):
            metadata.describe(reply)
            logger.info("message accepted", metadata: metadata)
        case .deferred(let judged, let next):
            metadata["next-in"] = "\(max(next.timeSince(completion.finishedAt), .zero).inMilliseconds)ms"
            // What is the relay's fault is said of the relay, once.
            let level: Logger.Level = judged.isUsedUp ? .notice : .debug
            logger.log(
                level: level,
                judged.failure.isUncertain ? "message uncertain" : "message deferred",
                metadata: metadata
            )
        case .rejected:
            logger.warning("message rejected", metadata: metadata)
        case .expired:
            logger.warning("message expired after its last attempt", metadata: metadata)
        case .expiredUnsent:
            logger.warning("message expired unsent", metadata: metadata)
        case .supersededUnsent:
            logger.info("message superseded by a newer one", metadata: metadata)
        case .cancelledUnsent:
            logger.info("message cancelled by the application", metadata: metadata)
        case .returnedUnsent:
            logger.debug("message returned unsent", metadata: metadata)
        }
    }
}

/// What the copies of one log share.
private final class StoreTroubles: Sendable {
    let log = Mutex(TroubleLog<StoreTask>())
}

/// What was said of the relays' pauses.
private final class RelayPauses: Sendable {
    /// What kept a relay from being up when that began.
    struct Beginning {
        let trouble: RelayTrouble
        let isSuspicion: Bool
    }

    private struct State {
        var logs: [String: [FailureReason: PauseLog]] = [:]
        var beginnings: [String: Beginning] = [:]
    }

    private let state = Mutex(State())

    /// - Returns: how many were not said before; `nil` where this one isn't either.
    func begins(_ relay: String, _ trouble: RelayTrouble, isSuspicion: Bool = false, now: Duration) -> Int? {
        state.withLock { state in
            state.beginnings[relay] = Beginning(trouble: trouble, isSuspicion: isSuspicion)
            return state.logs[relay, default: [:]][trouble.reason, default: PauseLog()].begins(now: now)
        }
    }

    /// - Returns: what began, and how many were not said before, where it is to be said only now.
    func lasts(_ relay: String, now: Duration) -> (began: Beginning, unsaid: Int)? {
        state.withLock { state in
            guard let began = state.beginnings[relay] else { return nil }
            let unsaid = state.logs[relay, default: [:]][began.trouble.reason, default: PauseLog()].lasts(now: now)
            return unsaid.map { (began, $0) }
        }
    }

    /// - Returns: whether it is said.
    func ends(_ relay: String, now: Duration) -> Bool {
        state.withLock { state in
            guard let began = state.beginnings[relay] else { return true }
            return state.logs[relay, default: [:]][began.trouble.reason, default: PauseLog()].ends(now: now)
        }
    }
}

extension Duration {
    /// Such as `5m12s`; below a second `250ms`.
    fileprivate var inWords: String {
        let milliseconds = inMilliseconds
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        let seconds = milliseconds / 1000
        let parts = [(seconds / 3600, "h"), (seconds % 3600 / 60, "m"), (seconds % 60, "s")]
        return parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
    }
}

extension Completion {
    fileprivate var identity: Logger.Metadata {
        var metadata: Logger.Metadata = [
            "message.id": "\(claim.message.id)", "kind": .string(claim.message.kind), "attempt": "\(claim.attempt)",
        ]
        if let relay { metadata["relay"] = .string(relay) }
        return metadata
    }
}

extension Logger.Metadata {
    fileprivate mutating func describe(toMend trouble: RelayTrouble, _ relay: DeliveryRelay) {
        if let place = relay.place(toMend: trouble) { self["setting"] = "\(place)" }
        if trouble.reason.isMendedByReload { self["then"] = "reload outboxd" }
    }

    fileprivate mutating func describe(_ reply: SMTPReply) {
        self["smtp.code"] = "\(reply.code)"
        if let status = reply.enhancedStatus { self["smtp.enhanced"] = .string(status.description) }
        if let queueID = reply.queueID { self["queue.id"] = .string(queueID) }
    }

    fileprivate mutating func describe(_ judged: JudgedFailure) {
        self["fault"] = "\(judged.verdict.scope.rawValue)"
        self["reason"] = "\(judged.verdict.reason.rawValue)"
        describe(judged.failure.reply, stage: judged.failure.stage, detail: judged.failure.detail)
    }

    fileprivate mutating func describe(_ trouble: RelayTrouble) {
        self["reason"] = "\(trouble.reason.rawValue)"
        describe(trouble.reply, stage: trouble.stage, detail: trouble.detail)
    }

    private mutating func describe(_ reply: SMTPReply?, stage: SMTPStage, detail: String) {
        self["stage"] = "\(stage.rawValue)"
        // A relay may quote the recipient's address in its words; they are kept in the attempt's row instead.
        if let reply { describe(reply) } else { self["detail"] = "\(detail)" }
    }
}
