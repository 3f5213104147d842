// A page as a mail program keeps it. A model of the program, made from the facts; never the program itself.

/// The mail programs whose view of a mail can be shown.
package enum ReducedView: String, CaseIterable, Sendable {
    /// Outlook for Windows, which shows mails with Word.
    case outlook
    /// Yahoo Mail and AOL.
    case yahoo
    /// Gmail's programs with an account of another provider: they drop `<style>`.
    case gmailNoStyle = "gmail-no-style"
    /// A program that knows no CSS.
    case noCSS = "no-css"

    /// The page with what the program keeps.
    ///
    /// - Parameter page: the HTML part of a mail.
    package func reduced(_ page: String) -> String {
        switch self {
        case .outlook: Reduction(program: .outlook).reduced(page)
        case .yahoo: Reduction(program: .yahoo).reduced(page)
        case .gmailNoStyle: Reduction(program: .gmailOtherAccounts, keepsStyleElements: false).reduced(page)
        case .noCSS: Reduction(program: nil, keepsStyleElements: false).reduced(page)
        }
    }
}

private struct Reduction {
    /// `nil`: a program without CSS.
    let program: MailProgram?
    var keepsStyleElements = true

    private var isWord: Bool { program == .outlook }

    func reduced(_ page: String) -> String {
        let result = parts(page)
        guard isWord, let head = result.firstRange(of: "</head>") else { return result }
        // Word breaks long words itself.
        return result.replacingCharacters(
            in: head,
            with: "<style>td { overflow-wrap: anywhere; }</style></head>"
        )
    }

    private func parts(_ page: String) -> String {
        var result = ""
        var isHiddenFromWord = false
        for part in HTMLPart.all(of: page) {
            if isWord, [.comment, .other].contains(part.content) {
                switch ConditionalComment(part.source) {
                case .content(let content, let isForWord)?: if isForWord { result += parts(Self.withoutXML(content)) }
                case .begin(let isForWord)?: isHiddenFromWord = !isForWord
                case .end?: isHiddenFromWord = false
                case nil: if part.content == .other { result += part.source }
                }
                continue
            }
            guard !isHiddenFromWord else { continue }
            switch part.content {
            case .tag(let tag) where tag.name == "style": if keepsStyleElements { result += part.source }
            case .style: if keepsStyleElements { result += kept(StyleSheet(part.source)).text }
            case .tag(let tag) where !tag.isEnd && tag["style"] != nil: result += restyled(tag, part.source)
            case .tag, .text, .comment, .other: result += part.source
            }
        }
        return result
    }

    /// The content of a conditional comment without XML for Office.
    private static func withoutXML(_ content: String) -> String {
        var kept = ""
        var rest = content[...]
        while let open = rest.firstRange(of: "<xml"), let close = rest[open.upperBound...].firstRange(of: "</xml>") {
            kept += rest[..<open.lowerBound]
            rest = rest[close.upperBound...]
        }
        return kept + rest
    }

    /// The tag with another style; all else stays as it is.
    private func restyled(_ tag: HTMLTag, _ source: Substring) -> String {
        guard let style = tag.attributes.first(where: { $0.name == "style" }) else { return String(source) }
        guard program != nil, let place = style.valueRange else {
            return source[..<style.range.lowerBound].trimmed + source[style.range.upperBound...]
        }
        let text = Declaration.text(of: kept(Declaration.all(ofAttribute: style.value), on: tag.name))
        let escaped = text.replacing("&", with: "&amp;").replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
        let isQuoted = place.upperBound < style.range.upperBound
        // In double quotes an apostrophe is itself, as most authors write it.
        let isInDoubleQuotes = isQuoted && source[place.upperBound] == "\""
        let value = isInDoubleQuotes ? escaped.replacing("&#39;", with: "'") : escaped
        return source[..<place.lowerBound] + (isQuoted ? value : "\"\(value)\"") + source[place.upperBound...]
    }

    private func kept(_ sheet: StyleSheet) -> StyleSheet {
        var sheet = sheet
        sheet.rules = sheet.rules.compactMap(kept)
        return sheet
    }

    private func kept(_ rule: StyleSheet.Rule) -> StyleSheet.Rule? {
        switch rule {
        case .style(let selectors, let declarations):
            // Of the selectors, the last element's name says on what the properties would stand.
            let element = selectors.split { !$0.isLetter && !$0.isNumber }.last.map(String.init) ?? ""
            return isDropped(rule) ? nil : .style(selectors: selectors, kept(declarations, on: element))
        case .group(let prelude, let rules):
            // Word knows no media query.
            return isWord || isDropped(rule) ? nil : .group(prelude: prelude, rules.compactMap(kept))
        case .block, .statement:
            return isWord && rule.prelude.hasPrefix("@keyframes") || isDropped(rule) ? nil : rule
        }
    }

    private func isDropped(_ rule: StyleSheet.Rule) -> Bool { facts.contains { $0.concerns(atRule: rule) } }

    private func kept(_ declarations: [Declaration], on element: String) -> [Declaration] {
        declarations.compactMap { declaration in
            if isWord, declaration.property == "mso-line-height-alt" {
                return Declaration(property: "line-height", value: declaration.value)
            }
            // Word takes a width from a table or a cell only, and of a picture from its attribute
            // (https://www.caniemail.com/features/css-width/, 2019-09-27), and breaks words by its own rule.
            if isWord, declaration.property == "word-wrap" { return nil }
            if isWord, declaration.property == "width", !["table", "td", "th"].contains(element) { return nil }
            if isWord, declaration.property == "display", declaration.plainValue != "none" { return nil }
            return facts.contains { $0.concerns(declaration, on: element) } ? nil : declaration
        }
    }

    private var facts: [ClientFact] {
        guard let program else { return [] }
        return ClientFact.all.filter { $0.programs.contains(program) }
    }
}

extension String {
    fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
        var copy = self
        copy.replaceSubrange(range, with: text)
        return copy
    }
}
