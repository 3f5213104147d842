// The findings in the HTML part of a mail: one walk in light colours, one in dark ones. Never looks at the text part.

import InternetMessage
import OutboxCore

/// Walks through a page with the styles that apply at each place.
struct PageFindings {
    private(set) var all: [LintFinding] = []

    private let locale: String
    private let hasTableForWord: Bool
    /// Elements whose end tag has not come, outermost first.
    private var open: [StyledElement] = []

    /// Elements that are open at once; what is deeper takes the styles of the deepest one.
    private static let mostOpen = 256
    /// What is shown of a template's own text, in characters.
    private static let mostShown = 60

    init(_ parts: [HTMLPart], locale: String) {
        self.locale = locale
        hasTableForWord = parts.contains { part in
            guard part.content == .comment, case .content(let text, true)? = ConditionalComment(part.source) else {
                return false
            }
            return text.contains("<table")
        }
        let sheets = parts.filter { $0.content == .style }.map { (sheet: StyleSheet($0.source), line: $0.line) }
        for (sheet, line) in sheets { checkAtRules(sheet.rules, line: line) }
        let light = SimpleRules(sheets.map(\.sheet), isDark: false)
        walk(parts, rules: light, scheme: nil)
        if light.hasDarkRules {
            walk(parts, rules: SimpleRules(sheets.map(\.sheet), isDark: true), scheme: "in dark colours")
        }
        checkLanguage(parts)
        all.sort { ($0.line ?? 0) < ($1.line ?? 0) }
    }

    /// - Parameter scheme: the colours of this walk; the features are checked in the walk without one.
    private mutating func walk(_ parts: [HTMLPart], rules: SimpleRules, scheme: String?) {
        open = []
        for part in parts {
            switch part.content {
            case .tag(let tag) where tag.isEnd:
                // An end tag without its start tag ends nothing.
                if let index = open.lastIndex(where: { $0.tag.name == tag.name }) { open.removeSubrange(index...) }
            case .tag(let tag):
                if let last = open.last, Self.ends(last.tag.name, before: tag.name) { open.removeLast() }
                let element = StyledElement(tag, line: part.line, in: open, rules: rules)
                if scheme == nil { check(element) }
                if !tag.isVoid, open.count < Self.mostOpen { open.append(element) }
            case .text: checkContrast(part, scheme)
            case .comment, .style, .other: break
            }
        }
    }

    /// Whether an element ends where another one begins, without an end tag (HTML, "optional tags").
    private static func ends(_ name: String, before next: String) -> Bool {
        switch name {
        case "p":
            ["p", "div", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote", "pre"].contains(
                next
            )
        case "li": next == "li"
        case "td", "th": ["td", "th", "tr"].contains(next)
        case "tr": next == "tr"
        default: false
        }
    }

    private static let factsByElement = Dictionary(
        uniqueKeysWithValues: ClientFact.all.compactMap { fact in
            if case .element(let name) = fact.feature { (name, fact) } else { nil }
        }
    )

    private mutating func check(_ element: StyledElement) {
        let tag = element.tag
        if let fact = Self.factsByElement[tag.name] { report(fact, "<\(tag.name)>", element.line) }
        for fact in element.declarations.isEmpty ? [] : ClientFact.all {
            for declaration in element.declarations
            where fact.concerns(declaration, on: tag.name) && !isReplaced(fact, on: element) {
                report(
                    fact,
                    "\(Self.shown(declaration.property)): \(Self.shown(declaration.plainValue)) on <\(Self.shown(tag.name))>",
                    element.line
                )
            }
        }
        switch tag.name {
        case "img": checkPicture(tag, element.line)
        case "a": checkLink(tag, element.line)
        case "script": warn("<script> does nothing: mail programs remove it", element.line)
        default: break
        }
        if let size = element.declarations.last(where: { $0.property == "font-size" })?.plainValue,
            !element.isHidden, ["0", "0px", "0em", "0pt"].contains(size)
        {
            warn(
                "font-size: \(size) on <\(tag.name)>: mail systems take text of size zero for a sign of spam",
                element.line
            )
        }
    }

    private func isReplaced(_ fact: ClientFact, on element: StyledElement) -> Bool {
        let own = element.declarations.map(\.property)
        return !fact.properties.isDisjoint(with: own) || !fact.properties.isDisjoint(with: element.inherited)
            || fact.attributes.contains { Self.has($0, element.tag) }
            || fact.isReplacedByTableForWord && hasTableForWord
    }

    /// Whether the tag has the attribute, and a width or height that is no share of the space around it.
    private static func has(_ attribute: String, _ tag: HTMLTag) -> Bool {
        guard let value = tag[attribute] else { return false }
        switch attribute {
        case "width": return Int(value) != nil
        case "height": return tag.name == "img"
        default: return true
        }
    }

    private mutating func checkAtRules(_ rules: [StyleSheet.Rule], line: Int) {
        for rule in rules {
            for fact in ClientFact.all where fact.concerns(atRule: rule) {
                guard case .atRule(let name, let condition) = fact.feature else { continue }
                report(fact, condition.isEmpty ? name : "\(name) (\(condition))", line)
            }
        }
    }

    private mutating func checkPicture(_ tag: HTMLTag, _ line: Int) {
        if tag["alt"] == nil {
            warn("<img> without alt: without pictures, and to a screen reader, it is a hole; add alt=\"…\"", line)
        }
        if tag["width"] == nil, tag["height"] == nil {
            warn("<img> without width and height: Outlook for Windows shows it in its own size; add one of them", line)
        }
    }

    private mutating func checkLink(_ tag: HTMLTag, _ line: Int) {
        guard let link = tag["href"]?.decodingQuotes.trimmed, !link.hasPrefix("#") else { return }
        // RFC 3986, §3.1.
        let scheme = link.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+.-".contains($0)) }
        if scheme.isEmpty || link[scheme.endIndex...].first != ":" {
            warn("<a> leads to '\(Self.shown(link))': a mail has no page to which a link can be relative", line)
        }
    }

    private mutating func checkContrast(_ part: HTMLPart, _ scheme: String?) {
        guard let element = open.last, !element.isHidden, !open.contains(where: { $0.tag.name == "head" }),
            element.tag.name != "title", let first = part.source.firstIndex(where: { !$0.isWhitespace }),
            let color = element.color, let background = element.background
        else { return }
        let contrast = color.contrast(with: background)
        guard contrast < BrandColor.leastContrast else { return }
        let shown = (contrast * 100).rounded(.down) / 100
        let place = [scheme].compactMap(\.self).map { " \($0)" }.joined()
        warn(
            "text of \(color.text) on \(background.text)\(place) has a contrast of \(shown):1; make it at least "
                + "\(BrandColor.leastContrast):1",
            part.line + part.source[..<first].count(where: \.isNewline)
        )
    }

    private mutating func checkLanguage(_ parts: [HTMLPart]) {
        let tags = parts.compactMap { part -> HTMLTag? in
            if case .tag(let tag) = part.content, !tag.isEnd { tag } else { nil }
        }
        func isOurs(_ tag: HTMLTag) -> Bool {
            guard let language = tag["lang"]?.lowercased() else { return false }
            return language == locale.lowercased() || language.hasPrefix("\(locale.lowercased())-")
        }
        if tags.first(where: { $0.name == "html" }).map(isOurs) != true {
            warn("<html> has no lang=\"\(locale)\": a screen reader may read the mail in another language", nil)
        }
        // The end tags of <html> and <body>, and their start tags, may be left out.
        let hasBody = tags.contains { $0.name == "body" }
        let inner = hasBody ? Array(tags.drop { $0.name != "body" }.dropFirst()) : tags.filter { $0.name != "html" }
        if !inner.contains(where: isOurs) {
            warn(
                "no element within <body> has lang=\"\(locale)\": many programs keep neither <html> nor <body>, so write it "
                    + "on the outer cell, too",
                nil
            )
        }
    }

    /// A template's own text in one line of bounded length, without control characters.
    private static func shown(_ text: String) -> String {
        let line = text.printable
        return line.count > mostShown ? "\(line.prefix(mostShown))…" : line
    }

    private mutating func report(_ fact: ClientFact, _ feature: String, _ line: Int) {
        all.append(
            LintFinding(
                severity: fact.isDecoration ? .note : .warning,
                message:
                    "\(feature) does nothing in \(fact.programNames)\(fact.isDecoration ? "; " : ": ")\(fact.remedy)",
                source: fact.source,
                line: line
            )
        )
    }

    private mutating func warn(_ message: String, _ line: Int?) {
        all.append(LintFinding(severity: .warning, message: message, source: nil, line: line))
    }
}
