// Splits CSS into rules and declarations. Never applies them.

/// A declaration such as `padding: 8px`.
struct Declaration: Hashable {
    /// In lower case.
    let property: String
    let value: String

    /// The value without `!important`.
    var plainValue: String {
        value.replacing("!important", with: "").trimmed.lowercased()
    }

    var isImportant: Bool { value.contains("!important") }

    /// The declarations of a `style` attribute or of a rule.
    static func all(of text: some StringProtocol) -> [Declaration] {
        // A semicolon or colon may stand within quotes or parentheses, as in url(data:…;base64,…).
        var declarations: [Declaration] = []
        for part in text.split(declarationsAt: ";") {
            guard let colon = part.firstIndex(of: ":") else { continue }
            let property = part[..<colon].trimmed.lowercased()
            let value = part[part.index(after: colon)...].trimmed
            if !property.isEmpty { declarations.append(Declaration(property: property, value: value)) }
        }
        return declarations
    }

    static func text(of declarations: [Declaration]) -> String {
        declarations.map { "\($0.property): \($0.value)" }.joined(separator: "; ")
    }
}

/// The content of a `<style>` element.
struct StyleSheet: Hashable {
    indirect enum Rule: Hashable {
        /// `h1, p { … }`; an at-rule with declarations, such as `@font-face`, too.
        case style(selectors: String, [Declaration])
        /// `@media … { … }` and other at-rules with rules.
        case group(prelude: String, [Rule])
        /// `@import …;`
        case statement(String)
    }

    var rules: [Rule]

    init(_ text: some StringProtocol) {
        var rest = Self.withoutComments(text)[...]
        rules = Self.rules(&rest)
    }

    /// The sheet as CSS.
    var text: String { rules.map(Self.text).joined(separator: "\n") }

    private static func text(_ rule: Rule) -> String {
        switch rule {
        case .style(let selectors, let declarations): "\(selectors) { \(Declaration.text(of: declarations)) }"
        case .group(let prelude, let rules): "\(prelude) {\n\(rules.map(text).joined(separator: "\n"))\n}"
        case .statement(let text): "\(text);"
        }
    }

    private static func rules(_ rest: inout Substring) -> [Rule] {
        var rules: [Rule] = []
        while let mark = rest.firstIndex(where: { "{};".contains($0) }) {
            let prelude = rest[..<mark].trimmed
            let kind = rest[mark]
            rest = rest[rest.index(after: mark)...]
            switch kind {
            case "}": return rules
            case ";": if !prelude.isEmpty { rules.append(.statement(prelude)) }
            default:
                let holdsRules = ["@media", "@supports", "@layer", "@container"].contains { prelude.hasPrefix($0) }
                if holdsRules {
                    rules.append(.group(prelude: prelude, Self.rules(&rest)))
                } else {
                    let end = rest.firstIndex(of: "}") ?? rest.endIndex
                    rules.append(.style(selectors: prelude, Declaration.all(of: rest[..<end])))
                    rest = end < rest.endIndex ? rest[rest.index(after: end)...] : rest[end...]
                }
            }
        }
        return rules
    }

    private static func withoutComments(_ text: some StringProtocol) -> String {
        var rest = String(text)[...]
        var result = ""
        while let open = rest.firstRange(of: "/*") {
            result += rest[..<open.lowerBound]
            let after = rest[open.upperBound...]
            rest = after.firstRange(of: "*/").map { after[$0.upperBound...] } ?? after[after.endIndex...]
        }
        return result + rest
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }

    /// The parts between separators that stand outside of quotes and parentheses.
    fileprivate func split(declarationsAt separator: Character) -> [SubSequence] {
        var parts: [SubSequence] = []
        var start = startIndex
        var quote: Character?
        var depth = 0
        for index in indices {
            let character = self[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == "(" {
                depth += 1
            } else if character == ")" {
                depth = Swift.max(0, depth - 1)
            } else if character == separator, depth == 0 {
                parts.append(self[start..<index])
                start = self.index(after: index)
            }
        }
        parts.append(self[start...])
        return parts
    }
}
