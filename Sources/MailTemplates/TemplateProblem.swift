// A problem of the templates or of their settings. Never holds the value of a variable.

/// One problem that must be fixed before the templates can be used.
package struct TemplateProblem: Hashable, Sendable, CustomStringConvertible {
    /// The file, folder or configuration key with the problem.
    package let place: String
    /// The line in that file, counted from 1; `nil` if the problem is not in one line.
    package let line: Int?
    /// The problem and its remedy.
    package let reason: String

    package init(_ place: String, line: Int? = nil, _ reason: String) {
        self.place = place
        self.line = line
        self.reason = reason
    }

    package var description: String {
        line.map { "\(place):\($0): \(reason)" } ?? "\(place): \(reason)"
    }
}

/// A template can't be used. Holds all its problems, never none.
package struct InvalidTemplate: Error, Hashable, Sendable {
    package let problems: [TemplateProblem]
}
