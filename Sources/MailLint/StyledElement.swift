// The styles that apply to an element, as far as a check needs them. Never lays anything out.

import OutboxCore

/// An open element with its own and its inherited styles.
struct StyledElement {
    let tag: HTMLTag
    let line: Int
    /// The declarations that apply to it, a later one over an earlier one.
    let declarations: [Declaration]
    /// The properties of this element and of all around it that a text inherits.
    let inherited: Set<String>
    let isHidden: Bool
    /// `nil`: not known, such as a colour by a name that the reader does not know.
    let color: RGB?
    let background: RGB?

    /// An element within another one.
    init(_ tag: HTMLTag, line: Int, in parent: StyledElement?, rules: [SimpleRule], around: [HTMLTag]) {
        self.tag = tag
        self.line = line
        let sheet = rules.filter { $0.selects(tag, in: around) }.flatMap(\.declarations)
        let inline = Declaration.all(of: tag["style"] ?? "")
        declarations = sheet.filter { !$0.isImportant } + inline + sheet.filter(\.isImportant)
        let own = declarations.map(\.property).filter(Self.inheritedProperties.contains)
        inherited = (parent?.inherited ?? []).union(own)
        let display = declarations.last { $0.property == "display" }
        isHidden = parent?.isHidden == true || display?.plainValue == "none"
        let foreground = declarations.last { $0.property == "color" }
        color = foreground.map { CSSColor.read($0.plainValue, inherited: parent?.color) } ?? (parent?.color ?? .black)
        let back = declarations.last { ["background-color", "background"].contains($0.property) }?.plainValue
        background =
            (back ?? tag["bgcolor"]).map { CSSColor.read($0, inherited: parent?.background) }
            ?? (parent.map(\.background) ?? .white)
    }

    private static let inheritedProperties: Set = ["word-wrap", "overflow-wrap", "word-break"]
}

/// A rule of a style sheet for one selector.
struct SimpleRule {
    /// The selector's parts, the element itself last: a name and classes each.
    private let compounds: [(name: String?, classes: Set<String>)]
    let declarations: [Declaration]

    /// - Returns: `nil` for a selector with more than names, classes and descent: such a rule is for one program, or
    ///   for a state such as `:hover`.
    init?(selector: some StringProtocol, _ declarations: [Declaration]) {
        var compounds: [(name: String?, classes: Set<String>)] = []
        for part in selector.split(whereSeparator: \.isWhitespace) {
            guard part.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }) else { return nil }
            let pieces = part.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
            compounds.append((pieces[0].isEmpty ? nil : pieces[0].lowercased(), Set(pieces.dropFirst())))
        }
        guard !compounds.isEmpty else { return nil }
        self.compounds = compounds
        self.declarations = declarations
    }

    /// The rules of a sheet: those outside of media queries, and those of the given query over them.
    static func all(of sheet: StyleSheet, media: String? = nil) -> [SimpleRule] {
        sheet.rules.flatMap { rule -> [SimpleRule] in
            switch rule {
            case .style(let selectors, let declarations):
                return selectors.split(separator: ",").compactMap { SimpleRule(selector: $0, declarations) }
            case .group(let prelude, let rules):
                guard let media, prelude.contains(media) else { return [] }
                var inner = sheet
                inner.rules = rules
                return all(of: inner)
            case .statement: return []
            }
        }
    }

    func selects(_ tag: HTMLTag, in around: [HTMLTag]) -> Bool {
        guard Self.fits(compounds[compounds.count - 1], tag) else { return false }
        var rest = compounds.dropLast()
        for tag in around.reversed() {
            guard let compound = rest.last else { break }
            if Self.fits(compound, tag) { rest.removeLast() }
        }
        return rest.isEmpty
    }

    private static func fits(_ compound: (name: String?, classes: Set<String>), _ tag: HTMLTag) -> Bool {
        (compound.name == nil || compound.name == tag.name) && compound.classes.isSubset(of: tag.classes)
    }
}

/// Colours as CSS writes them.
enum CSSColor {
    /// - Parameter inherited: the colour around the element.
    /// - Returns: `nil` for a colour that is not known here, or is partly transparent.
    static func read(_ text: String, inherited: RGB?) -> RGB? {
        if let name = names[text] { return name }
        if ["inherit", "transparent", "none", "currentcolor"].contains(text) { return inherited }
        if text.hasPrefix("#") {
            let digits = text.dropFirst().compactMap(\.hexDigitValue)
            if digits.count == 3, text.count == 4 { return RGB(digits[0] * 17, digits[1] * 17, digits[2] * 17) }
            guard digits.count == 6, text.count == 7 else { return nil }
            return RGB(digits[0] * 16 + digits[1], digits[2] * 16 + digits[3], digits[4] * 16 + digits[5])
        }
        guard text.hasPrefix("rgb("), text.hasSuffix(")") else { return nil }
        let parts = text.dropFirst(4).dropLast().split { $0 == "," || $0 == " " }.compactMap { Int($0) }
        return parts.count == 3 ? RGB(parts[0], parts[1], parts[2]) : nil
    }

    private static let names: [String: RGB] = [
        "white": .white, "black": .black, "gray": RGB(128, 128, 128), "grey": RGB(128, 128, 128),
        "silver": RGB(192, 192, 192), "red": RGB(255, 0, 0), "green": RGB(0, 128, 0), "blue": RGB(0, 0, 255),
        "navy": RGB(0, 0, 128), "yellow": RGB(255, 255, 0),
    ]
}
