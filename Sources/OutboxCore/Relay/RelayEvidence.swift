// Whose doing the failures at one relay are, judged by its other answers, and whose recipients keep it waiting. Pure: for whose
// doing a failure is, the order counts in which answers come, not the time. Never reads a reply (see FailurePolicy).

/// What the answers of one relay prove since it last accepted a message.
///
/// A failure from RCPT on may be the doing of one message, of one domain or of the relay, whatever the code says. One
/// acceptance of another message proves that the relay works. Several different messages in a row without one make the
/// relay the suspect.
package struct RelayEvidence: Sendable {
    /// How an attempt failed within the transaction.
    package enum Failure: Hashable, Sendable {
        /// With a reply or a broken connection, at once.
        case answer
        /// With a time-out, which costs a connection much time.
        case silence
    }

    /// Failures of so many different messages in a row are the relay's own.
    package static let failuresInARow = 3
    /// So many where all of them were time-outs for recipients of one domain, whose own mail system may be silent.
    package static let silencesInARow = 5
    /// So many permanent refusals in a row that say nothing of the address make the relay the suspect.
    package static let unnamedRefusalsInARow = 3
    /// An attempt that takes longer keeps its connection for long.
    package static let patience = Duration.seconds(5)
    /// So long after its last quick answer a domain, or the relay, may have become slow.
    package static let freshness = Duration.seconds(30)
    /// So many domains are remembered, of those that work and of those that are silent.
    private static let memory = 256

    /// The order number of the last acceptance; 0: none so far.
    package private(set) var lastAcceptance = 0
    /// When the relay last accepted a message.
    package private(set) var lastAcceptedAt: Timestamp?

    /// When the relay last answered quickly for anybody.
    private var quickAt: Timestamp?
    private let suspectAfter: Int
    private var failed: [Int64: (domain: String, failure: Failure)] = [:]
    private var refused: Set<Int64> = []
    private var refusedWithoutName: Set<Int64> = []
    private var silentDomains = RecentSet(capacity: Self.memory)
    private var workingDomains = RecentMoments(capacity: Self.memory)

    /// - Parameter suspectAfter: after so many permanent refusals in a row the relay is the suspect.
    package init(suspectAfter: Int) {
        precondition(suspectAfter >= 1, "at least one refusal")
        self.suspectAfter = suspectAfter
    }

    /// How many messages it refused for good since it last accepted one.
    package var refusalsInARow: Int { refused.count }

    /// Its permanent refusals prove nothing until it accepts a message.
    package var isSuspect: Bool {
        refused.count >= suspectAfter || refusedWithoutName.count >= min(Self.unnamedRefusalsInARow, suspectAfter)
    }

    /// Messages to this domain ended in time-outs, and none was accepted since.
    package func isSilent(_ domain: String) -> Bool { silentDomains.contains(domain) }

    /// When a message to this domain was last answered in time; `nil` where none was lately, or one ended in a time-out since,
    /// or was answered late.
    package func lastWorked(_ domain: String) -> Timestamp? { workingDomains[domain] }

    /// It has answered somebody quickly lately: who waits for long does not wait for the relay.
    package func isQuick(at now: Timestamp) -> Bool { quickAt.map { $0 + Self.freshness > now } ?? false }

    /// It accepted a message.
    ///
    /// - Parameters:
    ///   - order: the place of this event among all of them.
    ///   - began: when the attempt began; `nil`: just now.
    package mutating func accepted(domain: String, order: Int, at now: Timestamp, began: Timestamp? = nil) {
        lastAcceptance = order
        lastAcceptedAt = now
        if !failed.isEmpty { failed = [:] }
        if !refused.isEmpty { refused = [] }
        if !refusedWithoutName.isEmpty { refusedWithoutName = [] }
        answered(domain: domain, began: began ?? now, at: now)
    }

    /// It accepted a message, or refused it, which keeps a connection no longer.
    ///
    /// A late answer shows that the domain is not silent, but not that it works, unless others wait as long for theirs, so that
    /// the relay is slow, or the domain worked before, so that the message is.
    package mutating func answered(domain: String, began: Timestamp, at now: Timestamp) {
        let isLate = began + Self.patience <= now
        if !isLate { quickAt = now }
        silentDomains.remove(domain)
        if !isLate || !isQuick(at: now) || workingDomains[domain] != nil { workingDomains[domain] = now }
    }

    /// An attempt that began then ended in a time-out within the transaction, whosever doing it is: where the relay answered for
    /// nobody else of the domain meanwhile, the next one would take as long.
    package mutating func timedOut(domain: String, began: Timestamp) {
        guard !hasWorked(domain, since: began) else { return }
        silentDomains.insert(domain)
        workingDomains[domain] = nil
    }

    private func hasWorked(_ domain: String, since began: Timestamp) -> Bool {
        workingDomains[domain].map { $0 > began } ?? false
    }

    /// An attempt failed within the transaction, and nothing proves that it is the message's own doing.
    ///
    /// - Returns: whether it is the relay's by now.
    package mutating func failed(message: Int64, domain: String, _ failure: Failure) -> Bool {
        if failure == .silence {
            silentDomains.insert(domain)
            workingDomains[domain] = nil
        }
        // More would prove nothing more.
        if failed.count < max(Self.failuresInARow, Self.silencesInARow) * 2 { failed[message] = (domain, failure) }
        let isOneSilentDomain =
            failed.values.allSatisfy { $0.failure == .silence } && Set(failed.values.map(\.domain)).count == 1
        return failed.count >= (isOneSilentDomain ? Self.silencesInARow : Self.failuresInARow)
    }

    /// It refused a message for good. The same message counts once.
    ///
    /// - Parameter namesAddress: the refusal says that the address takes no mail.
    package mutating func refused(message: Int64, namesAddress: Bool) {
        if refused.count < suspectAfter { refused.insert(message) }
        if !namesAddress, refusedWithoutName.count < Self.unnamedRefusalsInARow { refusedWithoutName.insert(message) }
    }
}

/// The members that were inserted last, up to a number.
private struct RecentSet: Sendable {
    let capacity: Int
    private var order: [String] = []
    private var members: Set<String> = []

    init(capacity: Int) { self.capacity = capacity }

    func contains(_ member: String) -> Bool { members.contains(member) }

    mutating func insert(_ member: String) {
        guard members.insert(member).inserted else { return }
        order.append(member)
        if order.count > capacity { members.remove(order.removeFirst()) }
    }

    mutating func remove(_ member: String) {
        guard members.remove(member) != nil else { return }
        order.removeAll { $0 == member }
    }
}

/// The moments of those members that were in use last, up to a number.
private struct RecentMoments: Sendable {
    let capacity: Int
    private var moments: [String: Timestamp] = [:]

    init(capacity: Int) { self.capacity = capacity }

    subscript(_ member: String) -> Timestamp? {
        get { moments[member] }
        set {
            moments[member] = newValue
            guard moments.count > capacity, let oldest = moments.min(by: { $0.value < $1.value }) else { return }
            moments[oldest.key] = nil
        }
    }
}
