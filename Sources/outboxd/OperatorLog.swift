// How log messages look on standard error: one line each, for the journal and for people. Never decides what is logged.

import Foundation
import Logging
import OutboxSettings

/// Writes `message key=value …`, with a time and level for people, or with the level as journald reads it.
struct OperatorLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    private let isJournal: Bool

    /// What a line takes at most, nearly always.
    private static let usualLength = 300

    /// - Parameter level: the least that is logged.
    static func makeLogger(level: LogLevel) -> Logger {
        guard let logLevel = Logger.Level(rawValue: level.rawValue) else {
            preconditionFailure("the configuration has swift-log's levels")
        }
        // systemd sets it where standard error is the journal (systemd.exec(5)), which adds time and level itself.
        let isJournal = ProcessInfo.processInfo.environment["JOURNAL_STREAM"] != nil
        return Logger(label: "outboxd") { _ in OperatorLog(logLevel: logLevel, isJournal: isJournal) }
    }

    private init(logLevel: Logger.Level, isJournal: Bool) {
        self.logLevel = logLevel
        self.isJournal = isJournal
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var line = ""
        line.reserveCapacity(Self.usualLength)
        line += isJournal ? "<\(event.level.syslogPriority)>" : "\(Self.time()) \(event.level.rawValue): "
        line += event.message.description
        var values = event.metadata ?? [:]
        if !metadata.isEmpty { values.merge(metadata) { own, _ in own } }
        for key in values.keys.sorted() {
            guard let value = values[key] else { continue }
            line += " "
            line += key
            line += "="
            line += quoted(value.description)
        }
        line += "\n"
        FileHandle.standardError.write(Data(line.utf8))
    }

    private static func time() -> String {
        Date.now.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    /// Values with spaces stand in quotes; a line break in one must not begin a line of its own.
    private func quoted(_ value: String) -> String {
        // Nearly every value is plain ASCII, which needs no look at each character's Unicode properties.
        let isPlain = value.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
        }
        if !value.isEmpty, isPlain {
            return value
        }
        guard value.isEmpty || value.contains(where: { $0.isWhitespace || $0 == "\"" || $0 == "=" }) else {
            return value
        }
        let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\r", with: "\\r").replacing("\n", with: "\\n")
        return "\"\(escaped)\""
    }
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
