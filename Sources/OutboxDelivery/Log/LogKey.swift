// The names of the values in the log, each defined once. Never a value.

import Logging

/// The name of a value in the log, its words joined by dots. A value that is also in a column has the column's name:
/// `reply_code` in SQL and JSON is `reply.code` in the log.
package enum LogKey: String, CaseIterable, Sendable {
    // A message and its attempt, named like the columns of outbox_attempt.
    case messageID = "message.id"
    case kind, variable, attempt, relay, stage, fault, reason, detail
    case replyCode = "reply.code"
    case enhancedStatus = "enhanced.status"
    case queueID = "queue.id"
    /// The time from request to acceptance, or until the next attempt.
    case delay
    case retryIn = "retry.in"

    // A relay.
    case setting, then, connections, relays
    case certificateName = "certificate.name"
    case certificateExpiresAt = "certificate.expires.at"
    case pausesMeanwhile = "pauses.meanwhile"

    // The program and its database.
    case database, tables, command, error, failures, rule, count, returned, grace, after, by
    case span = "for"
    case longestLock = "longest.lock"
    case nothingExpiresFor = "nothing.expires.for"
    case asAtStart = "as.at.start"
    case needsRestart = "needs.restart"
    case lastCommit = "last.commit"
    case heldSince = "held.since"
}

/// The values of one log line.
struct LogValues: ExpressibleByDictionaryLiteral {
    /// Nearly every line has at most so many values.
    private static let usualCount = 8

    fileprivate var metadata = Logger.Metadata(minimumCapacity: usualCount)

    init() {}

    init(dictionaryLiteral values: (LogKey, Logger.MetadataValue)...) {
        for (key, value) in values { self[key] = value }
    }

    subscript(key: LogKey) -> Logger.MetadataValue? {
        get { metadata[key.rawValue] }
        set { metadata[key.rawValue] = newValue }
    }
}

extension Logger {
    func log(level: Level, _ message: Message, _ values: @autoclosure () -> LogValues) {
        log(level: level, message, metadata: values().metadata)
    }

    func debug(_ message: Message, _ values: @autoclosure () -> LogValues) { log(level: .debug, message, values()) }
    func info(_ message: Message, _ values: @autoclosure () -> LogValues) { log(level: .info, message, values()) }
    func notice(_ message: Message, _ values: @autoclosure () -> LogValues) { log(level: .notice, message, values()) }
    func warning(_ message: Message, _ values: @autoclosure () -> LogValues) { log(level: .warning, message, values()) }
    func error(_ message: Message, _ values: @autoclosure () -> LogValues) { log(level: .error, message, values()) }
}
