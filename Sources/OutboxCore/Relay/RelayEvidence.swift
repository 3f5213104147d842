// Decides from a relay's other answers whether it, a domain or a message caused a failure, and which domains are slow.
// Pure: the cause follows from the order of the answers, not from their times. Never reads a reply (see FailurePolicy).

/// What the answers of one relay prove since it last accepted a message.
///
/// A failure from RCPT on may be caused by a single message, a single domain or the relay, whatever the code says. An
/// acceptance of another message proves that the relay works. Several failures of different messages in a row, without
/// an acceptance, make the relay the suspect.
package struct RelayEvidence: Sendable {
    /// How an attempt failed within the transaction.
    package enum Failure: Hashable, Sendable {
        /// A reply or a broken connection, without delay.
        case answer
        /// A time-out, which occupies a connection for a long time.
        case silence
    }

    /// After failures of this many different messages in a row, the relay is at fault.
    package static let failuresInARow = 3
    /// The same limit where all failures were time-outs for one domain, whose own mail system may be silent.
    package static let silencesInARow = 5
    /// After this many permanent refusals in a row that say nothing about the address, the relay is the suspect.
    package static let unnamedRefusalsInARow = 3
    /// An attempt that takes longer counts as slow.
    package static let patience = Duration.seconds(5)
    /// After this time without a quick answer, a domain or the relay may have become slow.
    package static let freshness = Duration.seconds(30)
    /// The maximum number of remembered domains, both for working and for silent ones.
    private static let memory = 256

    /// The order number of the last acceptance; 0: none so far.
    package private(set) var lastAcceptance = 0
    /// When the relay last accepted a message.
    package private(set) var lastAcceptedAt: Timestamp?

    /// When the relay last answered quickly for any domain.
    private var quickAt: Timestamp?
    private let suspectAfter: Int
    private var failed: [Int64: (domain: String, failure: Failure)] = [:]
    private var refused: Set<Int64> = []
    private var refusedWithoutName: Set<Int64> = []
    private var silentDomains = RecentSet(capacity: Self.memory)
    private var workingDomains = RecentMoments(capacity: Self.memory)

    /// - Parameter suspectAfter: the number of permanent refusals in a row after which the relay is the suspect.
    package init(suspectAfter: Int) {
        precondition(suspectAfter >= 1, "at least one refusal")
        self.suspectAfter = suspectAfter
    }

    /// How many messages the relay refused permanently since its last acceptance.
    package var refusalsInARow: Int { refused.count }

    /// The relay's permanent refusals prove nothing until it accepts a message.
    package var isSuspect: Bool {
        refused.count >= suspectAfter || refusedWithoutName.count >= min(Self.unnamedRefusalsInARow, suspectAfter)
    }

    /// More messages failed in a row than one bad message or one silent domain explains: the relay is the cause.
    package var hasFailedInARow: Bool {
        let isOneSilentDomain =
            failed.values.allSatisfy { $0.failure == .silence } && Set(failed.values.map(\.domain)).count == 1
        return failed.count >= (isOneSilentDomain ? Self.silencesInARow : Self.failuresInARow)
    }

    /// Messages to this domain ended in time-outs, and none was accepted since.
    package func isSilent(_ domain: String) -> Bool { silentDomains.contains(domain) }

    /// When a message to this domain was last answered in time; `nil` where there was none recently, or where a later
    /// message timed out or was answered late.
    package func lastWorked(_ domain: String) -> Timestamp? { workingDomains[domain] }

    /// The relay recently gave a quick answer, so a long wait is not the relay's fault.
    package func isQuick(at now: Timestamp) -> Bool { quickAt.map { $0 <= now && $0 + Self.freshness > now } ?? false }

    /// Notes that the relay accepted a message.
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

    /// Notes that the relay accepted or refused a message, which frees the connection.
    ///
    /// A late answer shows that the domain is not silent. It shows that the domain works only in two cases: other
    /// domains wait as long, so the relay is slow; or the domain worked before, so the message is slow.
    package mutating func answered(domain: String, began: Timestamp, at now: Timestamp) {
        let isLate = began + Self.patience <= now
        if !isLate { quickAt = now }
        silentDomains.remove(domain)
        if !isLate || !isQuick(at: now) || workingDomains[domain] != nil { workingDomains[domain] = now }
    }

    /// Notes that an attempt ended in a time-out within the transaction, whatever the cause. If the relay has not
    /// answered for the domain since the attempt began, the next attempt would take as long.
    package mutating func timedOut(domain: String, began: Timestamp) {
        guard !hasWorked(domain, since: began) else { return }
        silentDomains.insert(domain)
        workingDomains[domain] = nil
    }

    private func hasWorked(_ domain: String, since began: Timestamp) -> Bool {
        workingDomains[domain].map { $0 > began } ?? false
    }

    /// Notes that an attempt failed within the transaction, with no proof that the message caused it.
    ///
    /// - Returns: whether the relay is now at fault.
    package mutating func failed(message: Int64, domain: String, _ failure: Failure) -> Bool {
        if failure == .silence {
            silentDomains.insert(domain)
            workingDomains[domain] = nil
        }
        // Further failures would prove nothing more.
        if failed.count < max(Self.failuresInARow, Self.silencesInARow) * 2 { failed[message] = (domain, failure) }
        return hasFailedInARow
    }

    /// Notes that the relay refused a message permanently. The same message counts once.
    ///
    /// - Parameter namesAddress: whether the refusal says that the address takes no mail.
    package mutating func refused(message: Int64, namesAddress: Bool) {
        if refused.count < suspectAfter { refused.insert(message) }
        if !namesAddress, refusedWithoutName.count < Self.unnamedRefusalsInARow { refusedWithoutName.insert(message) }
    }
}

/// The most recently inserted members, up to a limit.
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

/// The last use of the most recently used members, up to a limit.
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
