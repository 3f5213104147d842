// Link templates as string literals, for tests only: in the product a template comes from the configuration.

package import OutboxCore

extension LinkTemplate: ExpressibleByStringLiteral {
    /// Creates a template from a literal that is known to be one.
    package init(stringLiteral text: String) {
        do {
            try self.init(text)
        } catch {
            preconditionFailure("\(text) is no link template: \(error)")
        }
    }
}
