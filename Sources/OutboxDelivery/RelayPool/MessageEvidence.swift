// What is known of open messages from attempts that proved nothing. Pure. Never judges a reply.

import OutboxCore

/// The failures of messages that may or may not be the messages' own doing, each with the place of the event among all.
struct MessageEvidence {
    /// What one relay said of a message.
    struct Mark {
        /// The place of the first and of the last such event.
        let first: Int
        private(set) var last: Int
        let firstAt: Timestamp
        private(set) var count = 1
        /// All of them were given by a relay that refused everybody.
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

    /// So many messages are remembered: the oldest are forgotten first, and judged as if they were tried for the first time.
    private static let memory = 10_000

    /// The failures at a relay that may be the message's own doing.
    func failures(of message: Int64, relay: Int) -> Mark? { entries.isEmpty ? nil : entries[message]?.failures[relay] }

    /// The permanent refusals by a relay that were not taken for final.
    func refusals(of message: Int64, relay: Int) -> Mark? { entries.isEmpty ? nil : entries[message]?.refusals[relay] }

    /// Whether another relay than this one has refused it for good, and not everybody else as well.
    func isRefused(_ message: Int64, byOtherThan relay: Int) -> Bool {
        entries[message]?.refusals.contains { $0.key != relay && !$0.value.isProvisional } ?? false
    }

    /// Whether a relay has failed it or refused it: another one is worth a try.
    func isMarked(_ message: Int64, relay: Int) -> Bool {
        guard !entries.isEmpty, let entry = entries[message] else { return false }
        return entry.failures[relay] != nil || entry.refusals[relay] != nil
    }

    /// How many attempts it has not paid for: they count in the pace at which it is tried again.
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

    /// The message is final.
    mutating func forget(_ message: Int64) {
        if !entries.isEmpty { entries[message] = nil }
    }

    private mutating func change(_ message: Int64, order: Int, _ body: (inout Entry) -> Void) {
        var entry = entries[message] ?? Entry(touched: order)
        entry.touched = order
        body(&entry)
        entries[message] = entry
        guard entries.count > Self.memory else { return }
        // Half at once: sorting for each one would be too much.
        let oldest = entries.sorted { $0.value.touched < $1.value.touched }.prefix(Self.memory / 2)
        for (message, _) in oldest { entries[message] = nil }
    }
}
