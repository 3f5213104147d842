// The names of the log levels in the configuration file.

/// How much is logged. The names are swift-log's, in its order, so that the raw value converts to its level.
package enum LogLevel: String, Sendable, Equatable, CaseIterable {
    case trace, debug, info, notice, warning, error, critical
}
