// Compiles a template's source: resolves partials, parents and blocks, and reports all problems. Reads no value and no
// file.

/// Compiles one template with all files that it includes.
struct TemplateCompiler {
    typealias Nodes = [Node<[UInt8]>]

    /// The context in which tags are interpreted.
    private struct Scope {
        let file: String
        let isWords: Bool
        /// The including templates' content for blocks.
        var blocks: [String: Nodes] = [:]
        /// The innermost section: `{{.}}` is one of its elements.
        var section = "."
    }

    /// Limits the memory: files that each include the next one twice would otherwise use all of it.
    private static let inclusionLimit = 1000
    /// Sections, blocks and parents within each other; each level takes some of the stack.
    private static let depthLimit = 100
    /// Texts, tags and sections of a template with everything that it includes. A block that stands twice in a parent that
    /// fills one that stands twice, and so on, would take all memory.
    private static let sizeLimit = 100_000

    private(set) var problems: [TemplateProblem] = []
    /// Blocks for a parent that lacks them, in files of words.
    private(set) var unknownBlocks: [TemplateProblem] = []
    private let format: Template.Format
    private let builtIn: [String]
    private let partial: (String) -> Template.Partial
    /// The files that are being compiled, each included by the one before it.
    private var chain: [String] = []
    private var inclusions = 0
    private var depth = 0
    private var size = 0
    /// A limit was reached: what follows is not compiled, and not reported either.
    private var isOverLimit = false
    /// The names of the blocks found so far.
    private var blockNames: Set<String> = []

    init(format: Template.Format, builtIn: [String], partial: @escaping (String) -> Template.Partial) {
        self.format = format
        self.builtIn = builtIn
        self.partial = partial
    }

    mutating func compile(_ source: String, file: String, isWords: Bool = false) -> Nodes {
        compile(Array(source.utf8), Scope(file: file, isWords: isWords))
    }

    private mutating func compile(_ source: [UInt8], _ scope: Scope) -> Nodes {
        chain.append(scope.file)
        defer { chain.removeLast() }
        var scanner = TagScanner(source)
        return nodes(&scanner, upToEndOf: nil, scope)
    }

    /// Compiles the content of a section or a block, or of a whole file.
    private mutating func nodes(_ scanner: inout TagScanner, upToEndOf open: TemplateTag?, _ scope: Scope) -> Nodes {
        var nodes: Nodes = []
        depth += 1
        defer { depth -= 1 }
        while true {
            if let open, depth > Self.depthLimit {
                stop("sections and blocks are nested more than \(Self.depthLimit) levels deep", open, scope)
            }
            let (text, next) = scanner.next()
            if isOverLimit { return [] }
            if !text.isEmpty { nodes.append(.literal(literal(text, upTo: next, after: open, scope))) }
            guard let tag = next else {
                if let open { report("{{/\(open.name)}} is missing: this tag is not closed", open, scope) }
                return nodes
            }
            if let objection = tag.objection(in: format) {
                report(objection, tag, scope)
                continue
            }
            switch tag.sigil {
            case .variable, .unescaped, .unescapedBraces:
                let name = tag.name == "." ? scope.section : tag.name
                nodes.append(.variable(Variable(path: path(of: tag), name: name, file: scope.file, line: tag.line)))
            case .section, .invertedSection:
                var inner = scope
                if tag.name != "." { inner.section = tag.name }
                let content = self.nodes(&scanner, upToEndOf: tag, inner)
                nodes.append(.section(path: path(of: tag), isInverted: tag.sigil == .invertedSection, nodes: content))
            case .end:
                guard tag.name != open?.name else { return nodes }
                report("{{/\(tag.name)}} closes a tag that is not the innermost open one", tag, scope)
                if open != nil { return nodes }
            case .block:
                blockNames.insert(tag.name)
                // A default that is not shown need not be complete: a mail without a button has no words for one.
                let found = (problems, isOverLimit)
                let content = self.nodes(&scanner, upToEndOf: tag, scope)
                if scope.blocks[tag.name] != nil, isOverLimit == found.1 { problems = found.0 }
                if content.isEmpty, scope.blocks[tag.name] == nil, chain.count > 1 {
                    report("the block '\(tag.name)' has no default, and \(chain[0]) has no content for it", tag, scope)
                }
                let shown = scope.blocks[tag.name] ?? content
                size += shown.count
                if size > Self.sizeLimit {
                    stop("a template with what it includes has more than \(Self.sizeLimit) parts", tag, scope)
                }
                if isOverLimit { return [] }
                nodes += shown
            case .partial:
                nodes += included(tag, scope) ?? []
            case .parent:
                nodes += inherited(tag, arguments(&scanner, of: tag, scope), scope)
            case .comment, .delimiters:
                break
            }
        }
    }

    /// Compiles the blocks between a parent tag and its end.
    private mutating func arguments(
        _ scanner: inout TagScanner,
        of parent: TemplateTag,
        _ scope: Scope
    ) -> [(tag: TemplateTag, content: Nodes)] {
        var arguments: [(tag: TemplateTag, content: Nodes)] = []
        while true {
            let (text, next) = scanner.next(within: parent)
            if !text.allSatisfy({ $0 <= 0x20 }) {
                report("text within {{<\(parent.name)}} is never shown: write it into a block", parent, scope)
            }
            if isOverLimit { return arguments }
            guard let tag = next else {
                report("{{/\(parent.name)}} is missing: this tag is not closed", parent, scope)
                return arguments
            }
            if let objection = tag.objection(in: format) {
                report(objection, tag, scope)
                continue
            }
            switch tag.sigil {
            case .comment:
                break
            case .block:
                if arguments.contains(where: { $0.tag.name == tag.name }) {
                    report("the block '\(tag.name)' is given twice", tag, scope)
                }
                arguments.append((tag, nodes(&scanner, upToEndOf: tag, scope)))
            case .end where tag.name == parent.name:
                return arguments
            case .variable, .unescaped, .unescapedBraces, .section, .invertedSection, .end, .partial, .parent,
                .delimiters:
                report("{{<\(parent.name)}} may contain only blocks, {{$name}}…{{/name}}", tag, scope)
            }
        }
    }

    /// Compiles a parent with this template's content for its blocks. Content given to this template has precedence.
    private mutating func inherited(
        _ parent: TemplateTag,
        _ arguments: [(tag: TemplateTag, content: Nodes)],
        _ scope: Scope
    ) -> Nodes {
        var inner = scope
        inner.blocks = Dictionary(arguments.map { ($0.tag.name, $0.content) }) { first, _ in first }
            .merging(scope.blocks) { $1 }
        let others = blockNames
        blockNames = []
        defer { blockNames.formUnion(others) }
        guard let nodes = included(parent, inner) else { return [] }
        for (tag, _) in arguments where !blockNames.contains(tag.name) {
            let reason = "{{<\(parent.name)}} has no block '\(tag.name)'"
            if scope.isWords {
                unknownBlocks.append(TemplateProblem(scope.file, line: tag.line, reason))
            } else {
                report(reason, tag, scope)
            }
        }
        return nodes
    }

    /// Compiles the file that a partial or parent tag includes; `nil` if that is not possible.
    private mutating func included(_ tag: TemplateTag, _ scope: Scope) -> Nodes? {
        inclusions += 1
        switch partial(tag.name) {
        case .unreadable:
            break
        case .missing(let places):
            report("there is no '\(tag.name)' to include: looked for \(places.joined(separator: ", "))", tag, scope)
        case .found(let file, _, _) where chain.contains(file):
            let files = chain.drop { $0 != file } + [file]
            report("a file includes itself: \(files.joined(separator: " → "))", tag, scope)
        case .found where inclusions > Self.inclusionLimit:
            report("a template includes more than \(Self.inclusionLimit) files", tag, scope)
        case .found(let file, let source, let isWords):
            var lines = Array(source.utf8)
            if let indentation = tag.indentation {
                lines = Self.indented(lines, by: indentation)
            } else if lines.last == UInt8(ascii: "\n") {
                // Within a line, the line break at the end of the file is removed.
                lines.removeLast()
                if lines.last == UInt8(ascii: "\r") { lines.removeLast() }
            }
            return compile(lines, Scope(file: file, isWords: isWords, blocks: scope.blocks, section: scope.section))
        }
        return nil
    }

    /// The text between two tags, as this format shows it.
    private mutating func literal(
        _ text: ArraySlice<UInt8>,
        upTo next: TemplateTag?,
        after open: TemplateTag?,
        _ scope: Scope
    ) -> [UInt8] {
        guard scope.isWords, format == .html else { return Array(text) }
        let words = WordsText(text)
        if let markup = words.markup {
            let end = next?.line ?? (open?.line ?? 1)
            let reason =
                "'\(markup)' has no meaning in a file of words: markup belongs to a partial, and '&' needs no escape"
            let problem = TemplateProblem(scope.file, line: end, reason)
            if !isOverLimit, !problems.contains(problem) { problems.append(problem) }
        }
        return words.html
    }

    private func path(of tag: TemplateTag) -> ValuePath {
        let names = tag.name.split(separator: ".").map(String.init)
        return ValuePath(names: names, builtIn: names.first.flatMap { builtIn.firstIndex(of: $0) })
    }

    /// Puts the white space of a standalone tag before each line that isn't empty.
    private static func indented(_ source: [UInt8], by indentation: [UInt8]) -> [UInt8] {
        guard !indentation.isEmpty else { return source }
        return Array(
            source.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
                .map { $0.isEmpty ? [] : indentation + $0 }
                .joined(separator: [UInt8(ascii: "\n")])
        )
    }

    private mutating func stop(_ reason: String, _ tag: TemplateTag, _ scope: Scope) {
        report(reason, tag, scope)
        isOverLimit = true
    }

    private mutating func report(_ reason: String, _ tag: TemplateTag, _ scope: Scope) {
        if isOverLimit { return }
        let problem = TemplateProblem(scope.file, line: tag.line, reason)
        if !problems.contains(problem) { problems.append(problem) }
    }
}
