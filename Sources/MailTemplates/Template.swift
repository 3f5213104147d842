// A compiled template: values in, pieces of text out. Reads no file, and never leaves a gap for a missing value.

/// A template in the subset of Mustache that mails need.
///
/// Compiling happens once and resolves partials, parents and blocks. Rendering only walks over the remaining literals,
/// variables and sections.
package struct Template: Sendable {
    /// Determines how values are printed, and how the files of partials are named.
    package enum Format: String, Sendable, CaseIterable {
        /// Prints values unchanged.
        case text = "txt"
        /// Escapes all values, without exception.
        case html
    }

    /// A part of a rendered text.
    package enum Piece: Hashable, Sendable {
        /// The text at this index of `literals`.
        case literal(Int)
        /// The text of a value, escaped if the format requires it.
        case value(String)
    }

    /// A variable tag that has no text.
    package struct Fault: Hashable, Sendable {
        package enum Reason: Sendable {
            /// There is no such value, or it is null.
            case missing
            /// The value is an object or a list.
            case unprintable
        }

        package let reason: Reason
        package let name: String
        /// The file of the tag, which may be a partial.
        package let file: String
        package let line: Int
    }

    /// A partial that a template includes.
    package enum Partial {
        /// - Parameter isWords: the file has words for every format, see `WordsText`.
        case found(file: String, source: String, isWords: Bool)
        case missing(places: [String])
        /// The file exists but can't be read; this was already reported.
        case unreadable
    }

    /// The path of the file, for errors.
    package let file: String
    package let format: Format
    /// The template's own text: adjacent texts are one literal, even from different files.
    package let literals: [[UInt8]]
    /// The first component of every name that a rendering may look up: `expires` for `{{expires.at}}`.
    package let names: Set<String>
    /// Those of them whose value a tag may show, not only a section ask for.
    package let shownNames: Set<String>
    /// Blocks that the template gives to a parent without such a block, if the template is a file of words: another
    /// format's parent may have it.
    package let unknownBlocks: [TemplateProblem]
    /// The text, if it is the same in every rendering.
    package let constantText: String?
    private let nodes: [Node<Int>]

    /// - Parameters:
    ///   - isWords: the source has words for every format, see `WordsText`.
    ///   - builtIn: the names of the values that are passed separately, in this order, and that no variable replaces.
    ///   - constants: the built-in values that are the same in every rendering.
    ///   - links: the names of the row's variables that hold links: only these may stand in `href` and `src`.
    ///   - partial: looks up a partial by its name.
    /// - Throws: all problems of the template and its partials.
    package init(
        source: String,
        file: String,
        format: Format,
        isWords: Bool = false,
        builtIn: [String] = [],
        constants: [String: JSONValue] = [:],
        links: Set<String> = [],
        partial: @escaping (String) -> Partial
    ) throws(InvalidTemplate) {
        var compiler = TemplateCompiler(format: format, builtIn: builtIn, partial: partial)
        var compiled = compiler.compile(source, file: file, isWords: isWords)
        guard compiler.problems.isEmpty else { throw InvalidTemplate(problems: compiler.problems) }
        var adjacent = AdjacentVariables()
        adjacent.read(compiled)
        var places = HTMLPlaces(links: links)
        if format == .html { compiled = places.marked(compiled) }
        let unsafe = adjacent.problems + places.problems
        guard unsafe.isEmpty else { throw InvalidTemplate(problems: unsafe) }
        var folding = ConstantFolding(constants: constants, format: format)
        var nodes: [Node<Int>] = []
        folding.fold(compiled, into: &nodes)
        self.nodes = nodes
        literals = folding.literals
        let isConstant = nodes.allSatisfy { if case .literal = $0 { true } else { false } }
        // Adjacent texts are one literal, so there is one at most.
        constantText = isConstant ? folding.literals.first.map { String(decoding: $0, as: UTF8.self) } ?? "" : nil
        names = folding.names
        shownNames = folding.shownNames
        unknownBlocks = compiler.unknownBlocks
        self.file = file
        self.format = format
    }

    /// The problems of a file that is meant for inclusion, except for those that depend on the including template.
    package static func problems(
        inPartial source: String,
        file: String,
        format: Format,
        isWords: Bool = false
    ) -> [TemplateProblem] {
        var compiler = TemplateCompiler(format: format, builtIn: []) { _ in .unreadable }
        _ = compiler.compile(source, file: file, isWords: isWords)
        return compiler.problems
    }

    /// The template's text with these values, and the tags without a text.
    ///
    /// - Parameters:
    ///   - variables: an object, or the single value of `{{.}}`.
    ///   - builtIn: the values of the built-in names, in their order.
    ///   - constants: further values of built-in names, behind the others. They are an array of their own, so that a
    ///     caller need not join arrays for each rendering.
    package func render(
        _ variables: JSONValue,
        builtIn: [JSONValue?] = [],
        constants: [JSONValue?] = []
    ) -> (pieces: [Piece], faults: [Fault]) {
        var rendering = Rendering(
            variables: variables,
            builtIn: builtIn,
            constants: constants,
            format: format,
            capacity: 2 * literals.count
        )
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

/// A step of a rendering.
enum Node<Literal: Sendable>: Sendable {
    case literal(Literal)
    case variable(Variable)
    case section(path: ValuePath, isInverted: Bool, nodes: [Node])
}

/// How a tag finds its value.
struct ValuePath: Sendable {
    /// Empty for the current value.
    let names: [String]
    /// The index of the first name among the built-in names.
    let builtIn: Int?
}

/// A variable tag. A class, because rendering passes it on for each message.
final class Variable: Sendable {
    let path: ValuePath
    /// The name for errors: the tag's, or for the current value the section's.
    let name: String
    let file: String
    let line: Int
    /// Whether the tag stands in an attribute of HTML.
    let isInAttribute: Bool

    init(path: ValuePath, name: String, file: String, line: Int, isInAttribute: Bool = false) {
        self.path = path
        self.name = name
        self.file = file
        self.line = line
        self.isInAttribute = isInAttribute
    }

    /// The same tag in an attribute.
    var inAttribute: Variable { Variable(path: path, name: name, file: file, line: line, isInAttribute: true) }

    /// Whether the value comes from the row. A built-in section has members that are built in, too, such as `in` and
    /// `at`.
    func isOfRow(inBuiltInSection: Bool) -> Bool { path.builtIn == nil && !inBuiltInSection }
}

/// One rendering of a template.
private struct Rendering {
    private let variables: JSONValue
    private let builtIn: [JSONValue?]
    private let constants: [JSONValue?]
    /// The values of the open sections, the innermost last. Names are looked up in them first.
    private var contexts: [JSONValue] = []
    private let format: Template.Format
    private(set) var pieces: [Template.Piece] = []
    private(set) var faults: [Template.Fault] = []

    init(
        variables: JSONValue,
        builtIn: [JSONValue?],
        constants: [JSONValue?],
        format: Template.Format,
        capacity: Int
    ) {
        self.variables = variables
        self.builtIn = builtIn
        self.constants = constants
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
                    if variable.path.builtIn == nil, case .value(let before)? = pieces.last {
                        separate(before, text)
                    }
                    pieces.append(.value(variable.isInAttribute ? Isolation.removed(from: text) : text))
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

    /// Writes a space between two values that would make a link together: "evil" and ".example".
    private mutating func separate(_ before: String, _ after: String) {
        let joints = ".:/\\@．。｡․"
        if before.last.map(joints.contains) ?? false || after.first.map(joints.contains) ?? false {
            pieces.append(.value(" "))
        }
    }

    private mutating func render(_ nodes: [Node<Int>], in context: JSONValue) {
        contexts.append(context)
        render(nodes)
        contexts.removeLast()
    }

    /// The innermost section whose value has the first name decides; the other names are looked up in that member.
    private func value(at path: ValuePath) -> JSONValue? {
        guard let first = path.names.first else { return contexts.last ?? variables }
        var value: JSONValue?
        for context in contexts.reversed() where value == nil { value = context[first] }
        if value == nil {
            if let index = path.builtIn {
                value = index < builtIn.count ? builtIn[index] : constants[index - builtIn.count]
            } else {
                value = variables[first]
            }
        }
        for name in path.names.dropFirst() { value = value?[name] }
        return value
    }
}

extension JSONValue {
    /// The member of this name, if the value is an object with such a member.
    subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// The text of a variable tag; `nil` for a value that can't be printed.
    func text(in format: Template.Format) -> String? {
        switch self {
        case .string(let text): format == .html ? HTMLText.escaped(text) : text
        case .number(let digits): digits
        case .bool(let bool): bool ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// The elements that a section iterates over. A section treats an empty text as present, and false as absent.
    var elements: [JSONValue] {
        switch self {
        case .null, .bool(false): []
        case .array(let elements): elements
        case .bool(true), .number, .string, .object: [self]
        }
    }
}
