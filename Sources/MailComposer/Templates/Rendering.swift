// One rendering of one template: escapes its values and collects its faults. Knows nothing of tags and lookups.

/// One rendering of one template: how its values are escaped, and what was wrong with them.
final class Rendering {
    enum Fault: Hashable {
        case missing
        case unprintable
    }

    private let escapesHTML: Bool
    private(set) var faults: [(fault: Fault, name: String, line: Int?)] = []

    init(escapesHTML: Bool) {
        self.escapesHTML = escapesHTML
    }

    /// Notes a fault of a variable tag; what the tag renders as is thrown away with the rest.
    func fail(_ fault: Fault, name: String, line: Int?) -> String {
        faults.append((fault, name, line))
        return ""
    }

    /// A value as it stands in the template's kind of text.
    func escaped(_ text: String) -> String { escapesHTML ? HTMLText.escaped(text) : text }
}
