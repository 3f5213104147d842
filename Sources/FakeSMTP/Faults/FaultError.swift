// Explains why a fault is invalid: the problem, and what was expected. Nothing else.

/// The text of a fault can't be parsed, or its parts make no sense together.
package struct FaultError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The problem, with a quotation of the offending part.
    package let problem: String
    /// What was expected in its place.
    package let expected: String
    /// The whole text, if the fault came from a text.
    package var text: String?

    /// One line for an operator: the text, the problem, and what was expected.
    package var description: String {
        let subject = text.map { "fault '\($0)': " } ?? "fault: "
        return "\(subject)\(problem); expected \(expected)"
    }
}
