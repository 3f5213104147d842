// What YAML 1.1 would take a plain scalar for.
// Never converts it.

import Yams

/// The implicit type of a scalar. We read every scalar as text; this tells when another reader would not, so that `no`
/// and `0123` do not pass for text by accident.
enum ScalarKind {
    case text, null, boolean, number

    /// Nil for anything but a scalar.
    init?(of node: Node) {
        guard case .scalar(let scalar) = node else { return nil }
        // Not `node.tag`, which would replace an implicit tag by one that cannot be told from an explicit one.
        guard scalar.style == .plain, scalar.tag.description == Tag.Name.implicit.rawValue else {
            self = .text
            return
        }
        self =
            switch Resolver.default.resolveTag(of: Node(scalar.string)) {
            case .null: .null
            case .bool: .boolean
            case .int, .float: .number
            default: .text
            }
    }
}
