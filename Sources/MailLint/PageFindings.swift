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
    /// How many warnings, and how many notes, a mail can have.
    static let mostFindings = 500

    private(set) var budget: WorkBudget
    private var seen: Set<LintFinding> = []
    private var warnings = 0
    /// The open elements beyond these, by name.
    private var untracked: [String: Int] = [:]
    /// The line where the budget was spent.
    private var lineOfEnd: Int?

    /// - Parameter budget: the work that is permitted.
    init(_ parts: [HTMLPart], locale: String, budget: WorkBudget = WorkBudget()) {
        self.locale = locale
        self.budget = budget
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
        if let line = lineOfEnd {
            warn(
                "the check ended in this line: the mail has too many rules and declarations for its elements; make its "
                    + "style sheets shorter",
                line
            )
        }
        all.sort { ($0.line ?? 0) < ($1.line ?? 0) }
    }

    /// - Parameter scheme: the colours of this walk; the features are checked in the walk without one.
    private mutating func walk(_ parts: [HTMLPart], rules: SimpleRules, scheme: String?) {
        open = []
        untracked = [:]
        var line: Int?
        for part in parts {
            guard !budget.isSpent else { break }
            // One more than the limit shows that there are more.
            guard warnings <= Self.mostFindings else { return }
            budget.spend(1)
            line = part.line
            switch part.content {
            case .tag(let tag) where tag.isEnd: end(tag.name)
            case .tag(let tag): begin(tag, line: part.line, rules: rules, isChecked: scheme == nil)
            case .text: checkText(part, scheme)
            case .comment, .style, .other: break
            }
        }
        if budget.isSpent { lineOfEnd = lineOfEnd ?? line }
    }

    private mutating func begin(_ tag: HTMLTag, line: Int, rules: SimpleRules, isChecked: Bool) {
        if untracked.isEmpty, let last = open.last, Self.ends(last.tag.name, before: tag.name) { open.removeLast() }
        let element = StyledElement(tag, line: line, in: open, rules: rules, &budget)
        if isChecked { check(element) }
        guard !tag.isVoid else { return }
        if open.count < Self.mostOpen { open.append(element) } else { untracked[tag.name, default: 0] += 1 }
    }

    private mutating func end(_ name: String) {
        if let count = untracked[name] {
            untracked[name] = count > 1 ? count - 1 : nil
            return
        }
        budget.spend(open.count)
        // An end tag without its start tag ends nothing.
        guard let index = open.lastIndex(where: { $0.tag.name == name }) else { return }
        open.removeSubrange(index...)
        untracked = [:]
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
        let own = Set(element.declarations.map(\.property))
        for fact in element.declarations.isEmpty ? [] : ClientFact.all {
            budget.spend(element.declarations.count)
            guard !budget.isSpent else { break }
            for declaration in element.declarations
            where fact.concerns(declaration, on: tag.name) && !isReplaced(fact, on: element, own) {
                report(
                    fact,
                    "\(declaration.property.shown): \(declaration.plainValue.shown) on <\(tag.name.shown)>",
                    element.line
                )
                guard warnings <= Self.mostFindings else { return }
            }
        }
        switch tag.name {
        case "img": checkPicture(element)
        case "a": checkLink(tag, element.line)
        case "script": warn("<script> does nothing: mail programs remove it", element.line)
        default: break
        }
    }

    /// - Parameter own: the properties of the element's declarations.
    private func isReplaced(_ fact: ClientFact, on element: StyledElement, _ own: Set<String>) -> Bool {
        !fact.properties.isDisjoint(with: own) || !fact.properties.isDisjoint(with: element.inherited)
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
            budget.spend(1)
            let prelude = rule.prelude
            guard prelude.hasPrefix("@") else { continue }
            for fact in ClientFact.all where fact.concerns(atRule: prelude) {
                guard case .atRule(let name, let condition) = fact.feature else { continue }
                report(fact, condition.isEmpty ? name : "\(name) (\(condition))", line)
            }
            if case .group(_, let inner) = rule { checkAtRules(inner, line: line) }
        }
    }

    private mutating func checkPicture(_ element: StyledElement) {
        let tag = element.tag
        if tag["alt"] == nil {
            warn(
                "<img> without alt: without pictures, and to a screen reader, it is a hole; add alt=\"…\"",
                element.line
            )
        }
        // Word ignores the property width, and knows height (https://www.caniemail.com/features/css-height/, 2019-09-27).
        let height = element.declarations.last { $0.property == "height" }?.plainValue
        if tag["width"] == nil, tag["height"] == nil, height?.first?.isNumber != true || height?.hasSuffix("%") == true
        {
            warn(
                "<img> without width and height: Outlook for Windows shows it in its own size; add one of them",
                element.line
            )
        }
    }

    private mutating func checkLink(_ tag: HTMLTag, _ line: Int) {
        guard let link = tag["href"]?.decodingQuotes.trimmed, !link.hasPrefix("#") else { return }
        // RFC 3986, §3.1.
        let scheme = link.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "+.-".contains($0)) }
        if scheme.isEmpty || link[scheme.endIndex...].first != ":" {
            warn("<a> leads to '\(link.withoutQuery.shown)': a mail has no page to which a link can be relative", line)
        }
    }

    private mutating func checkText(_ part: HTMLPart, _ scheme: String?) {
        budget.spend(open.count)
        guard let element = open.last, !element.isHidden, !element.isInvisible,
            !open.contains(where: { $0.tag.name == "head" }), element.tag.name != "title",
            let first = part.source.firstSeen
        else { return }
        if let zero = element.zeroSize {
            warn(
                "font-size: \(zero.size) on <\(zero.element.shown)>: mail systems take text of size zero for a sign of spam",
                zero.line
            )
            return
        }
        guard let color = element.color, let background = element.background else { return }
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
        let ours = LanguageTag(locale)
        func isOurs(_ tag: HTMLTag) -> Bool { tag["lang"].map { LanguageTag($0).fits(ours) } ?? false }
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

    private mutating func report(_ fact: ClientFact, _ feature: String, _ line: Int) {
        add(
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
        add(LintFinding(severity: .warning, message: message, source: nil, line: line))
    }

    private mutating func add(_ finding: LintFinding) {
        let isWarning = finding.severity == .warning
        guard isWarning || seen.count - warnings < Self.mostFindings, seen.insert(finding).inserted else { return }
        all.append(finding)
        if isWarning { warnings += 1 }
    }
}
