// Merges values that are the same for every message into a template's text, once. Never changes the rendered result.

/// Builds the steps of a rendering: constants become text, and adjacent texts become one literal. Then a message needs
/// fewer value lookups and fewer lines to encode.
struct ConstantFolding {
    let constants: [String: JSONValue]
    let format: Template.Format
    private(set) var literals: [[UInt8]] = []
    private(set) var names: Set<String> = []
    private(set) var shownNames: Set<String> = []

    init(constants: [String: JSONValue], format: Template.Format) {
        self.constants = constants
        self.format = format
    }

    /// - Parameter contexts: the values of the open sections, the innermost last; `nil` for a value that depends on the
    ///   message.
    mutating func fold(_ nodes: [Node<[UInt8]>], in contexts: [JSONValue?] = [], into folded: inout [Node<Int>]) {
        for node in nodes {
            switch node {
            case .literal(let text):
                append(text, to: &folded)
            case .variable(let variable):
                if let text = constant(at: variable.path, in: contexts)?.text(in: format) {
                    append(Array(text.utf8), to: &folded)
                } else {
                    names.formUnion(variable.path.names.prefix(1))
                    shownNames.formUnion(variable.name.split(separator: ".").prefix(1).map(String.init))
                    folded.append(.variable(variable))
                }
            case .section(path: let path, isInverted: let isInverted, nodes: let nodes):
                switch (constant(at: path, in: contexts)?.elements, isInverted) {
                case (nil, _):
                    names.formUnion(path.names.prefix(1))
                    var content: [Node<Int>] = []
                    fold(nodes, in: isInverted ? contexts : contexts + [nil], into: &content)
                    folded.append(.section(path: path, isInverted: isInverted, nodes: content))
                case (let elements?, false):
                    // A name that a constant lacks is looked up in the outer contexts, so that the constant's section
                    // can be removed.
                    for element in elements { fold(nodes, in: contexts + [element], into: &folded) }
                case (let elements?, true):
                    if elements.isEmpty { fold(nodes, in: contexts, into: &folded) }
                }
            }
        }
    }

    private mutating func append(_ text: [UInt8], to folded: inout [Node<Int>]) {
        if case .literal(let number)? = folded.last {
            literals[number] += text
        } else {
            folded.append(.literal(literals.count))
            literals.append(text)
        }
    }

    /// `nil` for a value that depends on the message.
    private func constant(at path: ValuePath, in contexts: [JSONValue?]) -> JSONValue? {
        guard let first = path.names.first else { return contexts.last ?? nil }
        var value = constants[first]
        for context in contexts {
            guard let context else { return nil }
            value = context[first] ?? value
        }
        for name in path.names.dropFirst() { value = value?[name] }
        return value
    }
}
