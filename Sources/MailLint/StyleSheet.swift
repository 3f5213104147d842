// Splits a style sheet into rules. Never applies them.

/// The content of a `<style>` element.
struct StyleSheet: Hashable {
    indirect enum Rule: Hashable {
        /// `h1, p { … }`; an at-rule with declarations, such as `@font-face`, too.
        case style(selectors: String, [Declaration])
        /// `@media … { … }` and other at-rules with rules.
        case group(prelude: String, [Rule])
        /// Another at-rule with a block, such as `@keyframes`, or one that is nested too deep to be read.
        case block(prelude: String, String)
        /// `@import …;`
        case statement(String)

        /// The at-rule's name and condition in lower case, with single spaces; the selectors of another rule.
        var prelude: String {
            let text =
                switch self {
                case .style(let text, _), .group(let text, _), .block(let text, _), .statement(let text): text
                }
            guard text.hasPrefix("@") else { return text }
            return text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
                .replacing(": ", with: ":").replacing(" :", with: ":").replacing("( ", with: "(")
        }
    }

    var rules: [Rule]

    /// Groups within each other are read to this depth; a mail has two.
    private static let mostLevels = 8

    init(_ text: some StringProtocol) {
        // Some authors hide a sheet from programs of the nineties.
        let plain = Self.withoutComments(text).replacing("<!--", with: "").replacing("-->", with: "")
        var rest = plain[...]
        rules = Self.rules(&rest, level: 0)
    }

    /// The sheet as CSS.
    var text: String { rules.map(Self.text).joined(separator: "\n") }

    private static func text(_ rule: Rule) -> String {
        switch rule {
        case .style(let selectors, let declarations): "\(selectors) { \(Declaration.text(of: declarations)) }"
        case .group(let prelude, let rules): "\(prelude) {\n\(rules.map(text).joined(separator: "\n"))\n}"
        case .block(let prelude, let content): "\(prelude) {\(content)}"
        case .statement(let text): "\(text);"
        }
    }

    private static func rules(_ rest: inout Substring, level: Int) -> [Rule] {
        var rules: [Rule] = []
        while let mark = rest.firstMark(of: "{};") {
            let prelude = rest[..<mark].trimmed
            let kind = rest[mark]
            rest = rest[rest.index(after: mark)...]
            switch kind {
            // At the top it closes nothing.
            case "}": if level > 0 { return rules }
            case ";": if !prelude.isEmpty { rules.append(.statement(prelude)) }
            default: rules.append(block(prelude, &rest, level: level))
            }
        }
        return rules
    }

    private static func block(_ prelude: String, _ rest: inout Substring, level: Int) -> Rule {
        let name = prelude.prefix { !$0.isWhitespace && $0 != "(" }.lowercased()
        if groups.contains(name), level < mostLevels {
            return .group(prelude: prelude, rules(&rest, level: level + 1))
        }
        let content = contentOfBlock(&rest)
        let hasDeclarations = !name.hasPrefix("@") || ["@font-face", "@page", "@viewport"].contains(name)
        return hasDeclarations
            ? .style(selectors: prelude, Declaration.all(of: content)) : .block(prelude: prelude, String(content))
    }

    private static let groups: Set = ["@media", "@supports", "@layer", "@container", "@scope"]

    /// The text up to the brace that ends the block.
    private static func contentOfBlock(_ rest: inout Substring) -> Substring {
        let block = rest
        var depth = 1
        while let mark = rest.firstMark(of: "{}") {
            depth += rest[mark] == "{" ? 1 : -1
            rest = rest[rest.index(after: mark)...]
            if depth == 0 { return block[..<mark] }
        }
        rest = rest[rest.endIndex...]
        return block
    }

    static func withoutComments(_ text: some StringProtocol) -> String {
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

extension Substring {
    /// The place of the first of these characters outside of quotes, and not behind a backslash (CSS Syntax 3, §4.3.7).
    fileprivate func firstMark(of marks: String) -> Index? {
        var quote: Character?
        var isEscaped = false
        for index in indices {
            let character = self[index]
            if isEscaped || character == "\\" {
                isEscaped.toggle()
            } else if let open = quote {
                // A string ends with its line.
                if character == open || character.isNewline { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if marks.contains(character) {
                return index
            }
        }
        return nil
    }
}
