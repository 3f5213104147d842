// Formats log messages for standard error: one line each, for the journal and for people. Never decides what is logged.

import Foundation
import Logging
import OutboxSettings
import ServiceProcess
import Synchronization

/// Writes `message key=value …`, with a time and level for people, or with the level in journald's form.
struct OperatorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    /// The lowest level that is logged: the configured level, unless a logger has its own.
    var logLevel: Logger.Level {
        get { ownLevel ?? threshold.level }
        set { ownLevel = newValue }
    }

    private var ownLevel: Logger.Level?
    private let threshold: LogThreshold
    private let isJournal: Bool
    private let clock = LogClock()

    /// - Parameter threshold: the lowest level that is logged; it may change at any time.
    static func makeLogger(threshold: LogThreshold) -> Logger {
        // systemd sets it if standard error is the journal (systemd.exec(5)), which adds time and level itself.
        let isJournal = ProcessInfo.processInfo.environment["JOURNAL_STREAM"] != nil
        return Logger(label: "outboxd") { _ in OperatorLog(threshold: threshold, isJournal: isJournal) }
    }

    private init(threshold: LogThreshold, isJournal: Bool) {
        self.threshold = threshold
        self.isJournal = isJournal
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = LogLine()
        if isJournal {
            line.append("<\(event.level.syslogPriority)>")
        } else {
            line.append(clock.octets(at: .now))
            line.append(" ")
            line.append(event.level.rawValue)
            line.append(": ")
        }
        line.append(event.message.description)
        var values = event.metadata ?? [:]
        if !metadata.isEmpty { values.merge(metadata) { own, _ in own } }
        for (key, value) in values.sorted(by: { $0.key < $1.key }) { line.append(key, value.description) }
        line.append("\n")
        StandardError.write(line.octets, lossPrefix: isJournal ? "<\(Logger.Level.warning.syslogPriority)>" : "")
    }
}

/// The lowest level that all loggers of the process log.
final class LogThreshold: Sendable {
    private let current: Mutex<Logger.Level>

    init(_ level: Logger.Level) { current = Mutex(level) }

    var level: Logger.Level { current.withLock(\.self) }

    func set(_ level: Logger.Level) { current.withLock { $0 = level } }
}

extension Logger.Level {
    /// The priority of sd-daemon(3).
    fileprivate var syslogPriority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
