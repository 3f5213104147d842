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
        var isInStyle = false
        for part in HTMLPart.all(of: page) {
            switch part.content {
            case .tag(let tag) where tag.name == "style":
                isInStyle = !tag.isEnd
                if keepsStyleElements { result += part.source }
            case .style:
                if keepsStyleElements { result += kept(StyleSheet(part.source)).text }
            case .comment where isWord:
                result += contentForWord(part.source).map(parts) ?? ""
            case .tag(let tag) where !tag.isEnd && tag["style"] != nil:
                result += restyled(tag, part.source)
            case .tag, .text, .comment, .other:
                result += part.source
            }
        }
        return isInStyle ? result + "</style>" : result
    }

    /// The content of a conditional comment that Word reads, without XML for Office.
    private func contentForWord(_ comment: Substring) -> String? {
        guard comment.hasPrefix("<!--[if mso"), let begin = comment.firstRange(of: "]>"),
            let end = comment.firstRange(of: "<![endif]"), begin.upperBound <= end.lowerBound
        else { return nil }
        var content = String(comment[begin.upperBound..<end.lowerBound])
        while let open = content.firstRange(of: "<xml>"), let close = content.firstRange(of: "</xml>"),
            open.lowerBound < close.lowerBound
        {
            content.removeSubrange(open.lowerBound..<close.upperBound)
        }
        return content
    }

    private func restyled(_ tag: HTMLTag, _ source: Substring) -> String {
        let attributes = tag.attributes.compactMap { attribute -> String? in
            guard attribute.name == "style" else {
                let quote = attribute.value.contains("\"") ? "'" : "\""
                return "\(attribute.name)=\(quote)\(attribute.value)\(quote)"
            }
            guard program != nil else { return nil }
            return "style=\"\(Declaration.text(of: kept(Declaration.all(of: attribute.value), on: tag.name)))\""
        }
        return "<\(([tag.name] + attributes).joined(separator: " "))>"
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
            return isDropped(atRule: selectors) ? nil : .style(selectors: selectors, kept(declarations, on: element))
        case .group(let prelude, let rules):
            // Word knows no media query.
            return isWord || isDropped(atRule: prelude) ? nil : .group(prelude: prelude, rules.compactMap(kept))
        case .statement(let text):
            return isDropped(atRule: text) ? nil : rule
        }
    }

    private func isDropped(atRule prelude: String) -> Bool {
        facts.contains { fact in
            if case .atRule(let beginning) = fact.feature { prelude.hasPrefix(beginning) } else { false }
        }
    }

    private func kept(_ declarations: [Declaration], on element: String) -> [Declaration] {
        declarations.compactMap { declaration in
            if isWord, declaration.property == "mso-line-height-alt" {
                return Declaration(property: "line-height", value: declaration.value)
            }
            // Word takes a width from a table, a cell or a picture only, and breaks words by its own rule.
            if isWord, declaration.property == "word-wrap" { return nil }
            if isWord, declaration.property == "width", !["table", "td", "th", "img"].contains(element) { return nil }
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
