// Splits a Mustache source into text and tags. Never judges how tags nest.

/// One tag of a template, with its place.
struct TemplateTag {
    enum Sigil: UInt8 {
        case variable = 0
        case unescaped = 0x26  // &
        case unescapedBraces = 0x7B  // {
        case section = 0x23  // #
        case invertedSection = 0x5E  // ^
        case end = 0x2F  // /
        case comment = 0x21  // !
        case partial = 0x3E  // >
        case parent = 0x3C  // <
        case block = 0x24  // $
        case delimiters = 0x3D  // =
    }

    let sigil: Sigil
    /// The text between the sigil and the end of the tag, without white space around it.
    let name: String
    /// The line on which the tag begins, counted from 1.
    let line: Int
    /// Whether the tag ends before the source does.
    let isClosed: Bool
    /// Whether the tag ends on a later line than it begins.
    let spansLines: Bool
    /// The white space before a tag that is alone on its line; `nil` for any other tag.
    var indentation: [UInt8]?

    /// Why a template of this format may not contain this tag; `nil` if it may.
    func objection(in format: Template.Format) -> String? {
        guard isClosed else { return "a tag is not closed: add }}" }
        if sigil == .comment { return nil }
        if spansLines { return "a tag ends on the line it begins on: write {{name}} without a line break, or close it" }
        let names = name.split(separator: ".", omittingEmptySubsequences: false)
        let areNames = names.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(Self.nameBytes.contains) }
        switch sigil {
        case .delimiters:
            return "other delimiters ({{=) are not supported: use {{ and }}"
        case .unescaped, .unescapedBraces:
            if format == .html { return "values in HTML are always escaped: write {{\(shownName)}}" }
        case .partial, .parent, .block:
            if names.count == 1, areNames { return nil }
            return "'\(shownName)' is not the name of a partial or a block: use letters, digits, '_' and '-'"
        case .variable, .section, .invertedSection, .end, .comment:
            break
        }
        if areNames || name == "." { return nil }
        return "'\(shownName)' is not a name: use letters, digits, '_' and '-', with dots between names"
    }

    /// The name for error texts: cut to 80 characters, without any characters other than printable ASCII.
    private var shownName: String {
        String(
            decoding: name.utf8.prefix(80).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") },
            as: UTF8.self
        )
    }

    private static let nameBytes = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
}

/// Splits a source tag by tag.
///
/// A tag that prints nothing and is alone on its line removes the whole line, including its line break: Mustache's rule
/// for standalone tags.
struct TagScanner {
    private let source: [UInt8]
    private var index = 0
    /// The line at `index`, counted from 1.
    private var line = 1
    private var lineStart = 0
    /// Whether there is a tag between `lineStart` and `index` that stays in its line.
    private var lineHasTag = false

    init(_ source: [UInt8]) { self.source = source }

    /// The text up to the next tag, and the tag; `nil` if no tag follows.
    ///
    /// - Parameter parent: the parent tag whose arguments are being read. The text between them is not shown. So a
    ///   block stands alone if only a line break follows it, and the end of the parent stands alone if its beginning
    ///   did.
    mutating func next(within parent: TemplateTag? = nil) -> (text: ArraySlice<UInt8>, tag: TemplateTag?) {
        let start = index
        while index < source.count, !stands("{{") { advance() }
        guard index < source.count else { return (source[start...], nil) }
        let open = index
        let lineStart = lineStart
        var beginsLine = !lineHasTag && source[lineStart..<open].allSatisfy(Self.isSpace)
        var tag = readTag()
        if let parent { beginsLine = tag.sigil != .end || parent.indentation != nil }
        guard beginsLine, standsAlone(tag) else {
            lineHasTag = true
            return (source[start..<open], tag)
        }
        tag.indentation = Array(source[lineStart..<open])
        return (source[start..<(parent == nil ? max(start, lineStart) : open)], tag)
    }

    /// Whether a tag that begins its line is alone on it; if so, moves to the next line.
    private mutating func standsAlone(_ tag: TemplateTag) -> Bool {
        switch tag.sigil {
        case .variable, .unescaped, .unescapedBraces: return false
        case .parent: return true  // An argument follows, or text that is not shown.
        case .section, .invertedSection, .end, .comment, .partial, .block, .delimiters: break
        }
        guard let end = endOfBlankLine() else { return false }
        while index < end { advance() }
        return true
    }

    private mutating func readTag() -> TemplateTag {
        let firstLine = line
        index += 2
        var sigil = TemplateTag.Sigil.variable
        if index < source.count, let found = TemplateTag.Sigil(rawValue: source[index]) {
            sigil = found
            index += 1
        }
        let start = index
        let close = sigil == .unescapedBraces ? "}}}" : "}}"
        while index < source.count, !stands(close) {
            if source[index] == UInt8(ascii: "\n") { line += 1 }
            index += 1
        }
        let isClosed = index < source.count
        let content = source[start..<index].trimmingPrefix { $0 <= 0x20 }
        let name = content.prefix(upTo: content.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? content.startIndex)
        if isClosed { index += close.utf8.count }
        return TemplateTag(
            sigil: sigil,
            name: String(decoding: name, as: UTF8.self),
            line: firstLine,
            isClosed: isClosed,
            spansLines: line > firstLine
        )
    }

    private func stands(_ mark: String) -> Bool {
        source[index] == mark.utf8.first && source[index...].starts(with: mark.utf8)
    }

    private mutating func advance() {
        if source[index] == UInt8(ascii: "\n") {
            line += 1
            lineStart = index + 1
            lineHasTag = false
        }
        index += 1
    }

    /// The beginning of the next line, if only white space precedes it.
    private func endOfBlankLine() -> Int? {
        var end = index
        while end < source.count, Self.isSpace(source[end]) { end += 1 }
        if end == source.count { return end }
        if source[end...].starts(with: "\r\n".utf8) { return end + 2 }
        return source[end] == UInt8(ascii: "\n") ? end + 1 : nil
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
