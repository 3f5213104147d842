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
    /// Neither it nor an element within it is seen.
    let isHidden: Bool
    /// `visibility` hides its text; an element within it may be seen.
    let isInvisible: Bool
    /// The size zero of its text: where it was set.
    let zeroSize: ZeroSize?
    /// `nil`: not known, such as a colour by a name that the reader does not know.
    let color: RGB?
    let background: RGB?

    /// A declaration that gives text the size zero.
    struct ZeroSize {
        let size: String
        let element: String
        let line: Int
    }

    /// An element within the last one of those around it.
    init(_ tag: HTMLTag, line: Int, in around: [StyledElement], rules: SimpleRules, _ budget: inout WorkBudget) {
        self.tag = tag
        self.line = line
        let parent = around.last
        let sheet = rules.declarations(for: tag, in: around, &budget)
        let inline = tag["style"].map(Declaration.all(ofAttribute:)) ?? []
        declarations = sheet.filter { !$0.isImportant } + inline + sheet.filter(\.isImportant)
        let own = declarations.map(\.property).filter(Self.inheritedProperties.contains)
        inherited = own.isEmpty ? parent?.inherited ?? [] : (parent?.inherited ?? []).union(own)
        isHidden = parent?.isHidden == true || Self.hides(declarations)
        let visibility = declarations.last { $0.property == "visibility" && $0.plainValue != "inherit" }
        isInvisible = visibility.map { $0.plainValue != "visible" } ?? parent?.isInvisible ?? false
        zeroSize = Self.zeroSize(declarations, on: tag, line, parent?.zeroSize)
        let attribute = tag.name == "font" ? tag["color"] : tag.name == "body" ? tag["text"] : nil
        let foreground = declarations.last { $0.property == "color" }?.plainValue ?? attribute?.lowercased()
        color = foreground.map { CSSColor.read($0, inherited: parent?.color) } ?? (parent.map(\.color) ?? .black)
        let back = declarations.last { ["background-color", "background"].contains($0.property) }?.plainValue
        background =
            (back ?? tag["bgcolor"]?.lowercased()).map { CSSColor.read($0, inherited: parent?.background) }
            ?? (parent.map(\.background) ?? .white)
    }

    /// Whether these declarations hide an element with all that is within it. Authors of previews write all three.
    private static func hides(_ declarations: [Declaration]) -> Bool {
        func value(_ property: String) -> String? { declarations.last { $0.property == property }?.plainValue }
        if value("display") == "none" { return true }
        if let opacity = value("opacity"), Double(opacity) == 0 { return true }
        guard value("overflow") == "hidden" else { return false }
        return ["max-height", "height", "max-width", "width"].contains { value($0).map(isZero) == true }
    }

    private static func zeroSize(
        _ declarations: [Declaration],
        on tag: HTMLTag,
        _ line: Int,
        _ inherited: ZeroSize?
    ) -> ZeroSize? {
        guard let size = declarations.last(where: { $0.property == "font-size" })?.plainValue else { return inherited }
        if isZero(size) { return ZeroSize(size: size, element: tag.name, line: line) }
        // A share of zero is zero.
        let isShare = size == "inherit" || size.hasSuffix("%") || size.hasSuffix("em") && !size.hasSuffix("rem")
        return isShare ? inherited : nil
    }

    /// `0`, `0px`, `0.0em` and the like.
    private static func isZero(_ value: String) -> Bool {
        value.first == "0" && value.drop { "0.".contains($0) }.allSatisfy { $0.isLetter || $0 == "%" }
    }

    private static let inheritedProperties: Set = ["word-wrap", "overflow-wrap", "word-break"]
}
