// One mistake in the configuration file, as one line.

/// A mistake: its place, and a sentence with the expected and the found value.
package struct SettingsProblem: Sendable, Equatable, CustomStringConvertible {
    /// The key, such as `relays[0].tls`; empty where the whole file is meant.
    package var path: String
    /// Line in the file, from 1; nil where there is no place to point at, as for a missing key.
    package var line: Int?
    /// Column in that line, from 1, counted in Unicode scalars; nil where `line` is nil.
    package var column: Int?
    /// The problem and its remedy. Never contains a value from under `password`.
    package var message: String

    /// `line 4: relays[0].tls: expected …`, without missing parts. A problem without a key also shows its column,
    /// because nothing else gives the place within the line.
    package var description: String {
        var place: [String] = []
        if let line, let column, path.isEmpty {
            place.append("line \(line), column \(column)")
        } else if let line {
            place.append("line \(line)")
        }
        if !path.isEmpty { place.append(path) }
        return (place + [message]).joined(separator: ": ")
    }
}
