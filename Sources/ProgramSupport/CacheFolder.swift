// The folder in which outboxd keeps its marks. Never creates it.

/// The folder that systemd makes for `CacheDirectory=` of the unit (systemd.exec(5)).
package enum CacheFolder {
    /// The environment variable with its path.
    package static let variable = "CACHE_DIRECTORY"

    /// The first folder of the variable; `nil` without one.
    package static func path(_ environment: [String: String]) -> String? {
        let first = environment[variable]?.split(separator: ":").first.map(String.init)
        return first.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
}
