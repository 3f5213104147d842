// One compiled template: values in, pieces of text out. Reads no file, and never leaves a hole where a value lacks.

/// A template in Mustache's language, as far as mails need it.
///
/// It is compiled once; partials, parents and blocks are resolved then. Rendering walks over what is left: literals,
/// variables and sections.
package struct Template: Sendable {
    /// Decides how values stand in the text, and how the files of partials are named.
    package enum Format: String, Sendable, CaseIterable {
        /// Values as they are.
        case text = "txt"
        /// Values escaped, without exception.
        case html
    }

    /// A part of a rendered text.
    package enum Piece: Hashable, Sendable {
        /// The text at this place of `literals`.
        case literal(Int)
        /// The text of a value, escaped where the format asks for it.
        case value(String)
    }

    /// A variable tag that got no text.
    package struct Fault: Hashable, Sendable {
        package enum Reason: Sendable {
            /// There is no such value, or it is null.
            case missing
            /// The value is an object or a list.
            case unprintable
        }

        package let reason: Reason
        package let name: String
        /// The tag's own file, which may be a partial's.
        package let file: String
        package let line: Int
    }

    /// A partial that a template asks for.
    package enum Partial {
        case found(file: String, source: String)
        case missing(places: [String])
        /// It is there, and was reported already: it can't be read.
        case unreadable
    }

    /// The path of the file, for errors.
    package let file: String
    package let format: Format
    /// The text that stands in the template itself: adjacent text is one literal, wherever it comes from.
    package let literals: [[UInt8]]
    /// The first part of every name that a rendering may look up: `expires` for `{{expires.at}}`.
    package let names: Set<String>
    private let nodes: [Node<Int>]

    /// - Parameters:
    ///   - builtIn: the names of the values that stand in an order of their own, and that no variable replaces.
    ///   - constants: those of them that are the same in every rendering.
    ///   - partial: looks up a partial by its name.
    /// - Throws: everything that is wrong with the template and its partials.
    package init(
        source: String,
        file: String,
        format: Format,
        builtIn: [String] = [],
        constants: [String: JSONValue] = [:],
        partial: @escaping (String) -> Partial
    ) throws(InvalidTemplate) {
        var compiler = TemplateCompiler(format: format, builtIn: builtIn, partial: partial)
        let compiled = compiler.compile(source, file: file)
        guard compiler.problems.isEmpty else { throw InvalidTemplate(problems: compiler.problems) }
        var folding = ConstantFolding(constants: constants, format: format)
        var nodes: [Node<Int>] = []
        folding.fold(compiled, into: &nodes)
        self.nodes = nodes
        literals = folding.literals
        names = folding.names
        self.file = file
        self.format = format
    }

    /// What is wrong with a file that is there to be included, apart from what depends on the template that includes it.
    package static func problems(inPartial source: String, file: String, format: Format) -> [TemplateProblem] {
        var compiler = TemplateCompiler(format: format, builtIn: []) { _ in .unreadable }
        _ = compiler.compile(source, file: file)
        return compiler.problems
    }

    /// The template's text with these values, and the tags that got none.
    ///
    /// - Parameters:
    ///   - variables: an object, or the one value that `{{.}}` is.
    ///   - builtIn: the values of the built-in names, in their order.
    package func render(_ variables: JSONValue, builtIn: [JSONValue?] = []) -> (pieces: [Piece], faults: [Fault]) {
        var rendering = Rendering(variables: variables, builtIn: builtIn, format: format, capacity: 2 * literals.count)
        rendering.render(nodes)
        return (rendering.pieces, rendering.faults)
    }

    /// Pieces of this template as one text, in UTF-8.
    package func bytes(of pieces: [Piece]) -> [UInt8] {
        var bytes: [UInt8] = []
        for piece in pieces {
            switch piece {
            case .literal(let number): bytes += literals[number]
            case .value(let value): bytes += value.utf8
            }
        }
        return bytes
    }
}

/// A step of a template.
enum Node<Literal: Sendable>: Sendable {
    case literal(Literal)
    case variable(Variable)
    case section(path: ValuePath, isInverted: Bool, nodes: [Node])
}

/// Where a tag finds its value.
struct ValuePath: Sendable {
    /// No names mean the current value.
    let names: [String]
    /// The place of the first name among the built-in ones.
    let builtIn: Int?
}

/// A variable tag; a class, because rendering passes it on for each message.
final class Variable: Sendable {
    let path: ValuePath
    /// For errors: the tag's name, or of the current value the section's.
    let name: String
    let file: String
    let line: Int

    init(path: ValuePath, name: String, file: String, line: Int) {
        self.path = path
        self.name = name
        self.file = file
        self.line = line
    }
}

/// One rendering of one template.
private struct Rendering {
    private let variables: JSONValue
    private let builtIn: [JSONValue?]
    /// The values of the open sections, the innermost last: names are looked up in them first.
    private var contexts: [JSONValue] = []
    private let format: Template.Format
    private(set) var pieces: [Template.Piece] = []
    private(set) var faults: [Template.Fault] = []

    init(variables: JSONValue, builtIn: [JSONValue?], format: Template.Format, capacity: Int) {
        self.variables = variables
        self.builtIn = builtIn
        self.format = format
        pieces.reserveCapacity(capacity)
    }

    mutating func render(_ nodes: [Node<Int>]) {
        for node in nodes {
            switch node {
            case .literal(let number):
                pieces.append(.literal(number))
            case .variable(let variable):
                let value = value(at: variable.path)
                if let text = value?.text(in: format) {
                    pieces.append(.value(text))
                } else {
                    let reason: Template.Fault.Reason = value == nil || value == .null ? .missing : .unprintable
                    faults.append(.init(reason: reason, name: variable.name, file: variable.file, line: variable.line))
                }
            case .section(path: let path, isInverted: false, nodes: let nodes):
                switch value(at: path) {
                case nil, .null, .bool(false): break
                case .array(let elements): for element in elements { render(nodes, in: element) }
                case let value?: render(nodes, in: value)
                }
            case .section(path: let path, isInverted: true, nodes: let nodes):
                if value(at: path)?.elements.isEmpty ?? true { render(nodes) }
            }
        }
    }

    private mutating func render(_ nodes: [Node<Int>], in context: JSONValue) {
        contexts.append(context)
        render(nodes)
        contexts.removeLast()
    }

    /// The innermost section whose value has the first name decides; the other names are looked up in what it has.
    private func value(at path: ValuePath) -> JSONValue? {
        guard let first = path.names.first else { return contexts.last ?? variables }
        var value: JSONValue?
        for context in contexts.reversed() where value == nil { value = context[first] }
        if value == nil { value = path.builtIn.map { builtIn[$0] } ?? variables[first] }
        for name in path.names.dropFirst() { value = value?[name] }
        return value
    }
}

extension JSONValue {
    /// The member of this name, if the value is an object that has one.
    subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// What a variable tag shows; `nil` for what has no text.
    func text(in format: Template.Format) -> String? {
        switch self {
        case .string(let text): format == .html ? HTMLText.escaped(text) : text
        case .number(let digits): digits
        case .bool(let bool): bool ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// What a section goes through. To a section an empty text is there; false is not.
    var elements: [JSONValue] {
        switch self {
        case .null, .bool(false): []
        case .array(let elements): elements
        case .bool(true), .number, .string, .object: [self]
        }
    }
}
