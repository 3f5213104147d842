// The evidence about open messages from attempts that proved nothing. Pure. Never judges a reply.

import OutboxCore

/// The failures that may or may not be the messages' own fault, each with its event number.
struct MessageEvidence {
    /// The failures or refusals of one message by one relay.
    struct Mark {
        /// The event numbers of the first and the last failure.
        let first: Int
        private(set) var last: Int
        let firstAt: Timestamp
        private(set) var count = 1
        /// Whether all of them came from a relay that refused everybody.
        fileprivate(set) var isProvisional = false

        fileprivate init(order: Int, at now: Timestamp) {
            (first, last, firstAt) = (order, order, now)
        }

        fileprivate mutating func again(order: Int) {
            last = order
            count += 1
        }
    }

    private struct Entry {
        var failures: [Int: Mark] = [:]
        var refusals: [Int: Mark] = [:]
        var unproven = 0
        var touched: Int
    }

    private var entries: [Int64: Entry] = [:]

    /// How many messages are remembered. The oldest are forgotten first, and then judged as if they were new.
    private static let memory = 10_000

    /// The message's failures at a relay that may be its own fault.
    func failures(of message: Int64, relay: Int) -> Mark? { entries.isEmpty ? nil : entries[message]?.failures[relay] }

    /// The relay's permanent refusals of the message that were not taken as final.
    func refusals(of message: Int64, relay: Int) -> Mark? { entries.isEmpty ? nil : entries[message]?.refusals[relay] }

    /// Whether another relay has permanently refused this message, without refusing everybody else.
    func isRefused(_ message: Int64, byOtherThan relay: Int) -> Bool {
        entries[message]?.refusals.contains { $0.key != relay && !$0.value.isProvisional } ?? false
    }

    /// Whether a relay has failed or refused the message, so that another relay is worth a try.
    func isMarked(_ message: Int64, relay: Int) -> Bool {
        guard !entries.isEmpty, let entry = entries[message] else { return false }
        return entry.failures[relay] != nil || entry.refusals[relay] != nil
    }

    /// The number of attempts that did not count for the message. They still lengthen the retry interval.
    func unproven(_ message: Int64) -> Int { entries[message]?.unproven ?? 0 }

    mutating func addFailure(of message: Int64, relay: Int, order: Int, now: Timestamp, counts: Bool) {
        change(message, order: order) { entry in
            if entry.failures[relay]?.again(order: order) == nil {
                entry.failures[relay] = Mark(order: order, at: now)
            }
            if !counts { entry.unproven += 1 }
        }
    }

    mutating func addRefusal(of message: Int64, relay: Int, order: Int, now: Timestamp, isProvisional: Bool) {
        change(message, order: order) { entry in
            if entry.refusals[relay]?.again(order: order) == nil {
                entry.refusals[relay] = Mark(order: order, at: now)
                entry.refusals[relay]?.isProvisional = isProvisional
            }
            if !isProvisional { entry.refusals[relay]?.isProvisional = false }
            if isProvisional { entry.unproven += 1 }
        }
    }

    /// Forgets a message that is final.
    mutating func forget(_ message: Int64) {
        if !entries.isEmpty { entries[message] = nil }
    }

    private mutating func change(_ message: Int64, order: Int, _ body: (inout Entry) -> Void) {
        var entry = entries[message] ?? Entry(touched: order)
        entry.touched = order
        body(&entry)
        entries[message] = entry
        guard entries.count > Self.memory else { return }
        // Drops half of the entries at once, because sorting for each new entry would cost too much.
        let oldest = entries.sorted { $0.value.touched < $1.value.touched }.prefix(Self.memory / 2)
        for (message, _) in oldest { entries[message] = nil }
    }
}
