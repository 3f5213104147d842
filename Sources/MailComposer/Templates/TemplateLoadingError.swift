// Everything that keeps the composer from starting, in one error. Never only the first problem.

/// The templates, the links or the sender can't be used; `problems` holds all that was found, never empty.
package struct TemplateLoadingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One thing to put right.
    package struct Problem: Hashable, Sendable, CustomStringConvertible {
        /// The file, folder or configuration key it is about.
        package let place: String
        /// The line in that file, counted from 1; `nil` when it is not about one line.
        package let line: Int?
        /// What is wrong, and what to do about it.
        package let reason: String

        init(_ place: String, line: Int? = nil, _ reason: String) {
            self.place = place
            self.line = line
            self.reason = reason
        }

        package var description: String {
            line.map { "\(place):\($0): \(reason)" } ?? "\(place): \(reason)"
        }
    }

    /// In the order of their places: kinds and locales by name.
    package let problems: [Problem]

    /// One problem a line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
