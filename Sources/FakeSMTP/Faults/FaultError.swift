// Says why a fault can't be: the problem, and what would have been right. Nothing else.

/// A fault's text that can't be read, or a combination of parts that makes no sense.
package struct FaultError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong, quoting the offending part.
    package let problem: String
    /// What was expected in its place.
    package let expected: String
    /// The whole text, where the fault came from one.
    package var text: String?

    /// One line for an operator: the text, the problem, and what was expected.
    package var description: String {
        let subject = text.map { "fault '\($0)': " } ?? "fault: "
        return "\(subject)\(problem); expected \(expected)"
    }
}
