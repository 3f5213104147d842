// A declaration of CSS. Never knows where it stands.

/// A declaration such as `padding: 8px`.
struct Declaration: Hashable {
    /// In lower case.
    let property: String
    let value: String
    let isImportant: Bool
    /// The value in lower case, without `!important`.
    let plainValue: String

    init(property: String, value: String) {
        self.property = property
        self.value = value
        let lowercased = value.lowercased()
        let mark = lowercased.lastIndex(of: "!")
        isImportant = mark.map { lowercased[lowercased.index(after: $0)...].trimmed == "important" } ?? false
        plainValue = isImportant ? lowercased[..<(mark ?? lowercased.endIndex)].trimmed : lowercased
    }

    /// The declarations of a rule, or of a `style` attribute without character references.
    static func all(of text: some StringProtocol) -> [Declaration] {
        var declarations: [Declaration] = []
        for part in text.split(declarationsAt: ";") {
            guard let colon = part.firstIndex(of: ":") else { continue }
            let property = part[..<colon].trimmed.lowercased()
            let value = part[part.index(after: colon)...].trimmed
            if !property.isEmpty { declarations.append(Declaration(property: property, value: value)) }
        }
        return declarations
    }

    /// The declarations of a `style` attribute.
    static func all(ofAttribute value: String) -> [Declaration] {
        all(of: StyleSheet.withoutComments(value.decodingQuotes))
    }

    static func text(of declarations: [Declaration]) -> String {
        declarations.map { "\($0.property): \($0.value)" }.joined(separator: "; ")
    }

    /// Whether the value is the one that an element has without the declaration.
    var isInitial: Bool {
        if ["none", "normal", "initial", "unset", "revert"].contains(plainValue) { return true }
        return plainValue.split(separator: " ").allSatisfy { part in
            part.first == "0" && part.drop { "0.".contains($0) }.allSatisfy { $0.isLetter || $0 == "%" }
        }
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }

    /// The parts between separators that stand outside of quotes and parentheses, as in `url(data:…;base64,…)`, and not
    /// behind a backslash.
    fileprivate func split(declarationsAt separator: Character) -> [SubSequence] {
        var parts: [SubSequence] = []
        var start = startIndex
        var quote: Character?
        var depth = 0
        var isEscaped = false
        for index in indices {
            let character = self[index]
            if isEscaped || character == "\\" {
                isEscaped.toggle()
            } else if let open = quote {
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
