// The type that YAML 1.1 would give to a plain scalar.
// Never converts the scalar.

import Yams

/// The implicit type of a scalar. We read every scalar as text; this type shows where another reader would not, so that
/// `no` and `0123` are not accepted as text by accident.
enum ScalarKind {
    case text, null, boolean, number

    /// Returns nil for a node that is not a scalar.
    init?(of node: Node) {
        guard case .scalar(let scalar) = node else { return nil }
        // `node.tag` would replace an implicit tag by one that looks like an explicit tag.
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
