// A row's variables as values. Keeps no order of names, because no template can ask for it.

/// A JSON value for the templates.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The number's digits as written: `1.50` stays `1.50`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}
