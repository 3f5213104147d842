// Whose doing the failures at one relay are, judged by its other answers. Pure, and knows no time: what matters is the order
// in which answers come. Never reads a reply (see FailurePolicy).

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
    /// So many domains are remembered, of those that work and of those that are silent.
    private static let memory = 256

    /// The order number of the last acceptance; 0: none so far.
    package private(set) var lastAcceptance = 0
    /// When the relay last accepted a message.
    package private(set) var lastAcceptedAt: Timestamp?

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

    /// When a message to this domain was last accepted; `nil` where none was lately, or one ended in a time-out since.
    package func lastAccepted(_ domain: String) -> Timestamp? { workingDomains[domain] }

    /// It accepted a message.
    ///
    /// - Parameter order: the place of this event among all of them.
    package mutating func accepted(domain: String, order: Int, at now: Timestamp) {
        lastAcceptance = order
        lastAcceptedAt = now
        if !failed.isEmpty { failed = [:] }
        if !refused.isEmpty { refused = [] }
        if !refusedWithoutName.isEmpty { refusedWithoutName = [] }
        silentDomains.remove(domain)
        workingDomains[domain] = now
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
