// Splits HTML into tags, texts and comments. Never builds a document, and never mends one.

/// A start tag or an end tag.
struct HTMLTag: Hashable {
    struct Attribute: Hashable {
        /// In lower case.
        let name: String
        /// Without quotes; character references stay as they are.
        let value: String
        /// The place of the value in the page, without quotes; `nil` without a value.
        let valueRange: Range<Substring.Index>?
        /// The place of name, quotes and value in the page.
        let range: Range<Substring.Index>
    }

    /// In lower case.
    let name: String
    let isEnd: Bool
    let attributes: [Attribute]
    /// The words of the attribute `class`.
    let classes: Set<String>

    init(name: String, isEnd: Bool, attributes: [Attribute]) {
        self.name = name
        self.isEnd = isEnd
        self.attributes = attributes
        let classes = attributes.first { $0.name == "class" }?.value ?? ""
        self.classes = Set(classes.split(whereSeparator: \.isWhitespace).map(String.init))
    }

    /// The value of an attribute; `nil` if the tag does not have it.
    subscript(name: String) -> String? { attributes.first { $0.name == name }?.value }

    /// Whether the element has no content and no end tag (HTML, "void elements").
    var isVoid: Bool { Self.voidElements.contains(name) }

    private static let voidElements: Set = [
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    ]
}

/// A part of a page, with its own text.
struct HTMLPart: Hashable {
    enum Content: Hashable {
        case tag(HTMLTag)
        /// Text outside of tags, or the content of an element whose content is plain text, such as `title`.
        case text
        case comment
        /// The content of `<style>`.
        case style
        /// A doctype, or the content of `<script>`.
        case other
    }

    let content: Content
    /// The part as it stands in the page.
    let source: Substring
    /// The line on which it begins, counted from 1.
    let line: Int

    /// The parts of a page, in order. Their sources together are the page.
    static func all(of page: String) -> [HTMLPart] {
        var reader = HTMLReader(page)
        return reader.parts()
    }
}

private struct HTMLReader {
    private let page: Substring.UTF8View
    private let text: Substring
    private var index: Substring.Index
    private var line = 1

    init(_ page: String) {
        text = page[...]
        self.page = text.utf8
        index = text.startIndex
    }

    mutating func parts() -> [HTMLPart] {
        var parts: [HTMLPart] = []
        while index < page.endIndex {
            let part = next()
            parts.append(part)
            guard case .tag(let tag) = part.content, !tag.isEnd else { continue }
            switch tag.name {
            case "style": if let part = content(of: "style", as: .style) { parts.append(part) }
            case "script": if let part = content(of: "script", as: .other) { parts.append(part) }
            case "title", "textarea": if let part = content(of: tag.name, as: .text) { parts.append(part) }
            default: break
            }
        }
        return parts
    }

    private mutating func next() -> HTMLPart {
        if stands("<!--") { return part(.comment, to: end(of: "-->")) }
        if stands("<!") || stands("<?") { return part(.other, to: end(of: ">")) }
        if let tag = tag() { return tag }
        // A lone < is text.
        let start = page.index(after: index)
        return part(.text, to: page[start...].firstIndex(of: UInt8(ascii: "<")) ?? page.endIndex)
    }

    private mutating func content(of element: String, as content: HTMLPart.Content) -> HTMLPart? {
        var end = index
        let mark = Array("</\(element)".utf8)
        while end < page.endIndex, !page[end...].prefix(mark.count).map(Self.lowercased).elementsEqual(mark) {
            end = page.index(after: end)
        }
        return end > index ? part(content, to: end) : nil
    }

    private mutating func tag() -> HTMLPart? {
        var scan = index
        guard page[scan] == UInt8(ascii: "<") else { return nil }
        scan = page.index(after: scan)
        let isEnd = scan < page.endIndex && page[scan] == UInt8(ascii: "/")
        if isEnd { scan = page.index(after: scan) }
        guard scan < page.endIndex, Self.isLetter(page[scan]) else { return nil }
        let name = word(&scan) { Self.isSpace($0) || $0 == UInt8(ascii: ">") || $0 == UInt8(ascii: "/") }
        var attributes: [HTMLTag.Attribute] = []
        while true {
            while scan < page.endIndex, Self.isSpace(page[scan]) || page[scan] == UInt8(ascii: "/") {
                scan = page.index(after: scan)
            }
            guard scan < page.endIndex else { break }
            if page[scan] == UInt8(ascii: ">") {
                scan = page.index(after: scan)
                break
            }
            attributes.append(attribute(&scan))
        }
        return part(.tag(HTMLTag(name: name.lowercased(), isEnd: isEnd, attributes: attributes)), to: scan)
    }

    private func attribute(_ scan: inout Substring.Index) -> HTMLTag.Attribute {
        let start = scan
        // A first = belongs to the name, so that every attribute has one.
        scan = page.index(after: scan)
        _ = word(&scan) { Self.isSpace($0) || [UInt8(ascii: "="), UInt8(ascii: ">"), UInt8(ascii: "/")].contains($0) }
        let name = text[start..<scan].lowercased()
        var after = scan
        while after < page.endIndex, Self.isSpace(page[after]) { after = page.index(after: after) }
        guard after < page.endIndex, page[after] == UInt8(ascii: "=") else {
            return HTMLTag.Attribute(name: name, value: "", valueRange: nil, range: start..<scan)
        }
        scan = page.index(after: after)
        while scan < page.endIndex, Self.isSpace(page[scan]) { scan = page.index(after: scan) }
        let quote = scan < page.endIndex ? page[scan] : 0
        let isQuoted = quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
        if isQuoted { scan = page.index(after: scan) }
        let begin = scan
        let value = word(&scan) { isQuoted ? $0 == quote : Self.isSpace($0) || $0 == UInt8(ascii: ">") }
        let range = begin..<scan
        if isQuoted, scan < page.endIndex { scan = page.index(after: scan) }
        return HTMLTag.Attribute(name: name, value: value, valueRange: range, range: start..<scan)
    }

    private func word(_ scan: inout Substring.Index, until isEnd: (UInt8) -> Bool) -> String {
        let end = page[scan...].firstIndex(where: isEnd) ?? page.endIndex
        defer { scan = end }
        return String(text[scan..<end])
    }

    private mutating func part(_ content: HTMLPart.Content, to end: Substring.Index) -> HTMLPart {
        let part = HTMLPart(content: content, source: text[index..<end], line: line)
        line += page[index..<end].count { $0 == UInt8(ascii: "\n") }
        index = end
        return part
    }

    private func stands(_ mark: String) -> Bool { page[index...].starts(with: mark.utf8) }

    private func end(of mark: String) -> Substring.Index {
        var end = index
        while end < page.endIndex {
            if page[end...].starts(with: mark.utf8) { return page.index(end, offsetBy: mark.utf8.count) }
            end = page.index(after: end)
        }
        return end
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(lowercased(byte)) }
    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

extension StringProtocol {
    /// With the character references that escaping in attributes needs.
    var decodingQuotes: String {
        guard contains("&") else { return String(self) }
        return String(self).replacing("&quot;", with: "\"").replacing("&#34;", with: "\"")
            .replacing("&apos;", with: "'").replacing("&#39;", with: "'").replacing("&amp;", with: "&")
    }
}
