// Finds the tags of a Mustache source and refuses those that outboxd has no use for. Never judges how they nest.

import InternetMessage

/// One tag of a template, with its place.
///
/// The library keeps its parse tree to itself and forgets where a tag stood, but an operator needs the line of the tag
/// that has no value. So the tags are found once more here. That is a search for `{{` and `}}` and nothing harder,
/// because a template that changes its delimiters is refused; how tags nest stays the library's to judge.
struct TemplateTag: Hashable {
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
        case pragma = 0x25  // %

        var isVariable: Bool { self == .variable || self == .unescaped || self == .unescapedBraces }
    }

    let sigil: Sigil
    /// What stands between the sigil and the end of the tag, without white space around it.
    let name: String
    /// The line on which the tag begins, counted from 1.
    let line: Int
    /// Where the name begins, in bytes of the source.
    let nameOffset: Int
    /// The tag ends on a later line than it begins on, or nowhere.
    let spansLines: Bool
    /// The tag ends before the source does.
    let isClosed: Bool

    /// All tags of a source, in their order.
    static func tags(in source: [UInt8]) -> [TemplateTag] {
        let open = UInt8(ascii: "{")
        let close = UInt8(ascii: "}")
        var tags: [TemplateTag] = []
        var line = 1
        var index = 0
        while index + 1 < source.count {
            guard source[index] == open, source[index + 1] == open else {
                if source[index] == UInt8(ascii: "\n") { line += 1 }
                index += 1
                continue
            }
            let tagLine = line
            index += 2
            var sigil = Sigil.variable
            if index < source.count, let found = Sigil(rawValue: source[index]) {
                sigil = found
                index += 1
            }
            let start = index
            while index + 1 < source.count, !(source[index] == close && source[index + 1] == close) {
                if source[index] == UInt8(ascii: "\n") { line += 1 }
                index += 1
            }
            let isClosed = index + 1 < source.count
            let content = source[start..<(isClosed ? index : source.count)].trimmingPrefix { $0 <= 0x20 }
            let name = content.prefix(upTo: content.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? content.startIndex)
            tags.append(
                TemplateTag(
                    sigil: sigil,
                    name: String(decoding: name, as: UTF8.self),
                    line: tagLine,
                    nameOffset: name.startIndex,
                    spansLines: line > tagLine,
                    isClosed: isClosed
                )
            )
            index += sigil == .unescapedBraces ? 3 : 2
        }
        return tags
    }

    /// Why outboxd's templates may not use this tag; `nil` if they may.
    func objection(inHTML: Bool) -> String? {
        guard isClosed else { return "a tag is not closed: add }}" }
        if sigil == .comment { return nil }
        // The library takes {{ before a newline for text and drops the braces.
        if spansLines { return "a tag ends on the line it begins on: write {{name}} without a line break, or close it" }
        switch sigil {
        case .partial, .parent, .block:
            return "partials and inheritance ({{>, {{<, {{$) are not supported: write the text into this file"
        case .delimiters:
            return "other delimiters ({{=) are not supported: use {{ and }}"
        case .pragma:
            return "pragmas ({{%) are not supported: body.html.mustache is HTML, the others are text"
        case .unescaped, .unescapedBraces:
            if inHTML { return "values in HTML are always escaped: write {{\(name)}}" }
        case .variable, .section, .invertedSection, .end, .comment:
            break
        }
        // "." alone is the current value. ".name" and "function(name)" are the library's own additions; they render
        // as nothing when they fail.
        let isPath =
            name == "."
            || name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { part in
                !part.isEmpty && part.allSatisfy { Self.isNameByte($0) }
            }
        return isPath
            ? nil : "'\(name.printable)' is not a name: use letters, digits, '_' and '-', with dots between names"
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
