// Where the values of a compiled HTML template stand: in text, or in an attribute, and in which one. Knows no value.

/// Walks through a template's own HTML and refuses the row's variables where escaping does not make them harmless.
struct HTMLPlaces {
    typealias Nodes = [Node<[UInt8]>]

    /// A place in HTML, as far as it matters for a value.
    private enum Place: Hashable {
        case text
        case comment
        /// Within `<script>` or `<style>`, up to its end tag.
        case raw(String)
        /// In a tag, outside of attribute values.
        case tag(String)
        case attribute(tag: String, name: String, quote: UInt8)
        /// An attribute value without quotes.
        case bare(tag: String, name: String)
    }

    private(set) var problems: [TemplateProblem] = []
    /// The names of variables that hold links.
    private let links: Set<String>
    private var place = Place.text
    /// The last octets since the place changed: a tag's or an attribute's name.
    private var word: [UInt8] = []

    init(links: Set<String>) { self.links = links }

    /// The nodes, with each variable marked that stands in an attribute.
    mutating func marked(_ nodes: Nodes, builtInSection: Bool = false) -> Nodes {
        nodes.map { node in
            switch node {
            case .literal(let text):
                for byte in text { read(byte) }
                return node
            case .variable(let variable):
                if variable.isOfRow(inBuiltInSection: builtInSection) { check(variable) }
                if case .text = place {
                    word = []
                    return node
                }
                if case .attribute(let tag, let name, quote: 0) = place { place = .bare(tag: tag, name: name) }
                return .variable(variable.inAttribute)
            case .section(path: let path, isInverted: let isInverted, nodes: let inner):
                let (before, beforeWord) = (place, word)
                let marked = self.marked(inner, builtInSection: builtInSection || path.builtIn != nil)
                // The section may be absent, so what follows it must stand in the same place either way.
                if place != before, let variable = inner.firstVariable {
                    report(
                        "a section begins and ends in different places of the HTML: close its tags within it",
                        variable
                    )
                }
                (place, word) = (before, beforeWord)
                return .section(path: path, isInverted: isInverted, nodes: marked)
            }
        }
    }

    private mutating func check(_ variable: Variable) {
        let isLink = links.contains(variable.path.names.first ?? "")
        switch place {
        case .text where word == [UInt8(ascii: "<")]:
            report("{{\(variable.name)}} stands within a tag: put it into the quoted value of an attribute", variable)
        case .text, .comment:
            break
        case .raw(let element):
            report("{{\(variable.name)}} stands within <\(element)>, where a value can't be made harmless", variable)
        case .tag:
            report("{{\(variable.name)}} stands within a tag: put it into the quoted value of an attribute", variable)
        case .attribute(_, let name, quote: 0), .bare(_, let name):
            report("{{\(variable.name)}} stands in an attribute without quotes: write \(name)=\"…\"", variable)
        case .attribute(_, let name, _) where name.hasPrefix("on") || name == "style" || name == "srcdoc":
            report(
                "{{\(variable.name)}} stands in the attribute \(name), where a value can't be made harmless",
                variable
            )
        case .attribute(_, let name, _) where Self.addresses.contains(name):
            if !isLink {
                report(
                    "{{\(variable.name)}} stands in the attribute \(name), but is not declared as a link: add "
                        + "\"link\": [\"the host\"] to it in sample.json",
                    variable
                )
            }
        case .attribute:
            break
        }
    }

    /// Attributes whose value is an address.
    private static let addresses: Set = [
        "href", "src", "srcset", "action", "formaction", "background", "poster", "data", "cite",
    ]

    private mutating func report(_ reason: String, _ variable: Variable) {
        problems.append(TemplateProblem(variable.file, line: variable.line, reason))
    }

    /// Reads one octet of the template's text (as far as templates need it).
    private mutating func read(_ byte: UInt8) {
        switch place {
        case .text:
            switch byte {
            case UInt8(ascii: "<"): word = [byte]
            case _ where word == [UInt8(ascii: "<")] && (byte.isLetterOrSlash || byte == UInt8(ascii: "!")):
                word = byte == UInt8(ascii: "/") ? [] : [byte]
                place = byte == UInt8(ascii: "!") ? .comment : .tag("")
            default: word = []
            }
        case .comment:
            word.append(byte)
            // Conditional comments hold HTML of their own, in which no value of a row belongs either.
            if byte == UInt8(ascii: ">"),
                !word.starts(with: "!--".utf8) || word.count >= 6 && word.suffix(3) == Array("-->".utf8)[...]
            {
                (place, word) = (.text, [])
            }
        case .raw(let element):
            word = Array((word + [byte]).suffix(element.utf8.count + 3))
            if String(decoding: word, as: UTF8.self).lowercased() == "</\(element)>" { (place, word) = (.text, []) }
        case .tag(let tag):
            switch byte {
            case UInt8(ascii: ">"):
                let name = tag.isEmpty ? takeWord() : tag
                word = []
                place = ["script", "style"].contains(name) ? .raw(name) : .text
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "/"):
                if tag.isEmpty { place = .tag(takeWord()) } else if !word.isEmpty { word.append(0x20) }
            case UInt8(ascii: "="):
                let name = takeWord()
                place = .attribute(tag: tag, name: name, quote: 0)
            default:
                // A new attribute begins after a space.
                if word.last == 0x20 { word = [] }
                word.append(byte)
            }
        case .attribute(let tag, let name, 0):
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: break
            case UInt8(ascii: "\""), UInt8(ascii: "'"): place = .attribute(tag: tag, name: name, quote: byte)
            case UInt8(ascii: ">"): (place, word) = (.text, [])
            default: place = .bare(tag: tag, name: name)
            }
        case .attribute(let tag, _, let quote):
            if byte == quote { (place, word) = (.tag(tag), []) }
        case .bare(let tag, _):
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: (place, word) = (.tag(tag), [])
            case UInt8(ascii: ">"): (place, word) = (.text, [])
            default: break
            }
        }
    }

    private mutating func takeWord() -> String {
        defer { word = [] }
        return String(decoding: word, as: UTF8.self).lowercased().trimmingSuffixSpaces
    }
}

extension String {
    fileprivate var trimmingSuffixSpaces: String {
        var text = self
        while text.last == " " { text.removeLast() }
        return text
    }
}

extension UInt8 {
    fileprivate var isLetterOrSlash: Bool {
        switch self {
        case 0x41...0x5A, 0x61...0x7A, 0x2F: true
        default: false
        }
    }
}

/// Finds variables that only punctuation separates: together two harmless values would make a link. (Between two values
/// without any text, rendering writes a space where it is needed.)
struct AdjacentVariables {
    private(set) var problems: [TemplateProblem] = []
    /// The row's variable before, and the text since.
    private var last: (variable: Variable, text: [UInt8])?

    private static let joints = Set("./:@\\".utf8)

    mutating func read(_ nodes: [Node<[UInt8]>]) { read(nodes, builtInSection: false, isRepetition: false) }

    /// - Parameter isRepetition: the nodes were read before, so their inner sections' repetitions are known.
    private mutating func read(_ nodes: [Node<[UInt8]>], builtInSection: Bool, isRepetition: Bool) {
        for node in nodes {
            switch node {
            case .literal(let text):
                last?.text += text
            case .variable(let variable) where variable.isOfRow(inBuiltInSection: builtInSection):
                if let last, !last.text.isEmpty, last.text.allSatisfy(Self.joints.contains) {
                    let problem = TemplateProblem(
                        variable.file,
                        line: variable.line,
                        "only punctuation stands between {{\(last.variable.name)}} and {{\(variable.name)}}, so together they may make "
                            + "a link: write a space or a word between them"
                    )
                    if !problems.contains(problem) { problems.append(problem) }
                }
                last = (variable, [])
            case .variable:
                last = nil
            case .section(path: let path, isInverted: let isInverted, nodes: let inner):
                let isBuiltIn = builtInSection || path.builtIn != nil
                let before = last
                read(inner, builtInSection: isBuiltIn, isRepetition: isRepetition)
                // A section of a list is rendered again after itself.
                if path.builtIn == nil, !isInverted, !isRepetition {
                    read(inner, builtInSection: isBuiltIn, isRepetition: true)
                }
                // If the section is absent, what stands before it is still the last.
                if last == nil { last = before }
            }
        }
    }
}

extension [Node<[UInt8]>] {
    fileprivate var firstVariable: Variable? {
        for node in self {
            switch node {
            case .literal: continue
            case .variable(let variable): return variable
            case .section(path: _, isInverted: _, nodes: let nodes):
                if let variable = nodes.firstVariable { return variable }
            }
        }
        return nil
    }
}
