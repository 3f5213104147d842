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

    /// An element within the last one of those around it.
    init(_ tag: HTMLTag, line: Int, in around: [StyledElement], rules: SimpleRules) {
        self.tag = tag
        self.line = line
        let parent = around.last
        let sheet = rules.declarations(for: tag, in: around)
        let inline = tag["style"].map(Declaration.all(ofAttribute:)) ?? []
        declarations = sheet.filter { !$0.isImportant } + inline + sheet.filter(\.isImportant)
        let own = declarations.map(\.property).filter(Self.inheritedProperties.contains)
        inherited = own.isEmpty ? parent?.inherited ?? [] : (parent?.inherited ?? []).union(own)
        let display = declarations.last { $0.property == "display" }
        isHidden = parent?.isHidden == true || display?.plainValue == "none"
        let attribute = tag.name == "font" ? tag["color"] : tag.name == "body" ? tag["text"] : nil
        let foreground = declarations.last { $0.property == "color" }?.plainValue ?? attribute?.lowercased()
        color = foreground.map { CSSColor.read($0, inherited: parent?.color) } ?? (parent.map(\.color) ?? .black)
        let back = declarations.last { ["background-color", "background"].contains($0.property) }?.plainValue
        background =
            (back ?? tag["bgcolor"]?.lowercased()).map { CSSColor.read($0, inherited: parent?.background) }
            ?? (parent.map(\.background) ?? .white)
    }

    private static let inheritedProperties: Set = ["word-wrap", "overflow-wrap", "word-break"]
}
