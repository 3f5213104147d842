// What the configuration file says about logging.

/// What is logged.
package struct LogSettings: Sendable, Equatable {
    /// The least severe level that is logged.
    package var level: LogLevel = .info

    /// The defaults.
    package init() {}
}
