// Microsoft's conditional comments, as Word reads them. Never reads HTML itself.

/// A comment or mark that begins or ends a part of the page for some programs only.
enum ConditionalComment: Hashable {
    /// `<!--[if …]>content<![endif]-->`: other programs see a comment.
    case content(String, isForWord: Bool)
    /// `<!--[if …]><!-->` or `<![if …]>`: other programs show what follows.
    case begin(isForWord: Bool)
    /// `<!--<![endif]-->` or `<![endif]>`.
    case end

    /// - Returns: `nil` for a comment without a condition.
    init?(_ source: Substring) {
        let marks = ["<!--[if ", "<![if "]
        guard let mark = marks.first(where: { source.lowercased().hasPrefix($0) }) else {
            guard source.contains("<![endif]") else { return nil }
            self = .end
            return
        }
        guard let close = source.firstRange(of: "]>") else { return nil }
        let condition = source[source.index(source.startIndex, offsetBy: mark.count)..<close.lowerBound]
        let isForWord = Condition(condition).isForWord
        if let end = source.firstRange(of: "<![endif]"), close.upperBound <= end.lowerBound {
            self = .content(String(source[close.upperBound..<end.lowerBound]), isForWord: isForWord)
        } else {
            self = .begin(isForWord: isForWord)
        }
    }
}

/// A condition such as `(gte mso 9)|(IE)`.
private struct Condition {
    private var words: ArraySlice<String>

    /// Conditions are short; a longer text is none.
    private static let mostWords = 40
    /// Outlook 2016 and later.
    private static let version = 16.0

    init(_ text: Substring) {
        var words: [String] = []
        for character in text.lowercased() {
            if character.isWhitespace {
                words.append("")
            } else if "()!|&".contains(character) {
                words += [String(character), ""]
            } else if let last = words.last, !last.isEmpty, !"()!|&".contains(last) {
                words[words.count - 1].append(character)
            } else {
                words.append(String(character))
            }
        }
        self.words = words.filter { !$0.isEmpty }.prefix(Self.mostWords)
    }

    var isForWord: Bool {
        var copy = self
        return copy.any()
    }

    private mutating func any() -> Bool {
        var value = all()
        while words.first == "|" {
            words.removeFirst()
            let next = all()
            value = value || next
        }
        return value
    }

    private mutating func all() -> Bool {
        var value = one()
        while words.first == "&" {
            words.removeFirst()
            let next = one()
            value = value && next
        }
        return value
    }

    private mutating func one() -> Bool {
        guard let word = words.popFirst() else { return false }
        switch word {
        case "!": return !one()
        case "(":
            let value = any()
            if words.first == ")" { words.removeFirst() }
            return value
        case "gte", "gt", "lte", "lt":
            guard words.popFirst() == "mso", let version = words.popFirst().flatMap(Double.init) else { return false }
            switch word {
            case "gte": return Self.version >= version
            case "gt": return Self.version > version
            case "lte": return Self.version <= version
            default: return Self.version < version
            }
        case "mso":
            guard let version = words.first.flatMap(Double.init) else { return true }
            words.removeFirst()
            return version == Self.version
        default: return word == "true"
        }
    }
}
