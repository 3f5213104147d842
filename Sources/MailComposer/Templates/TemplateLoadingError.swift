// All problems that keep the composer from starting, in one error. Never only the first one.

package import MailTemplates

/// The templates, the links or the sender can't be used; `problems` holds all problems that were found, never none.
package struct TemplateLoadingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In the order of their places: kinds and locales by name.
    package let problems: [TemplateProblem]

    /// One problem per line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
