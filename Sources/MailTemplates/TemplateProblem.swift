// What is wrong with templates and what belongs to them. Never holds the value of a variable.

/// One thing to put right before templates can be used.
package struct TemplateProblem: Hashable, Sendable, CustomStringConvertible {
    /// The file, folder or configuration key it is about.
    package let place: String
    /// The line in that file, counted from 1; `nil` when it is not about one line.
    package let line: Int?
    /// What is wrong, and what to do about it.
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

/// A template can't be used; holds all that is wrong with it, never nothing.
package struct InvalidTemplate: Error, Hashable, Sendable {
    package let problems: [TemplateProblem]
}
