// The findings in the HTML part of a mail: one walk in light colours, one in dark ones. Never looks at the text part.

import OutboxCore

/// Walks through a page with the styles that apply at each place.
struct PageFindings {
    private(set) var all: [LintFinding] = []

    private let locale: String
    private let hasTableForWord: Bool
    /// Elements whose end tag has not come, outermost first.
    private var open: [StyledElement] = []

    init(_ parts: [HTMLPart], locale: String) {
        self.locale = locale
        hasTableForWord = parts.contains { part in
            part.content == .comment && part.source.contains("[if mso") && part.source.contains("<table")
        }
        let sheets = parts.filter { $0.content == .style }.map { (sheet: StyleSheet($0.source), line: $0.line) }
        for (sheet, line) in sheets { checkAtRules(sheet.rules, line: line) }
        let light = sheets.flatMap { SimpleRule.all(of: $0.sheet) }
        walk(parts, rules: light, scheme: nil)
        let darkMedia = "prefers-color-scheme: dark"
        let dark = sheets.flatMap { SimpleRule.all(of: $0.sheet, media: darkMedia) }
        if dark.count > light.count { walk(parts, rules: dark, scheme: "in dark colours") }
        checkLanguage(parts)
        all.sort { ($0.line ?? 0) < ($1.line ?? 0) }
    }

    /// - Parameter scheme: the colours of this walk; the features are checked in the walk without one.
    private mutating func walk(_ parts: [HTMLPart], rules: [SimpleRule], scheme: String?) {
        open = []
        for part in parts {
            switch part.content {
            case .tag(let tag) where tag.isEnd:
                // An end tag without its start tag ends nothing.
                if let index = open.lastIndex(where: { $0.tag.name == tag.name }) { open.removeSubrange(index...) }
            case .tag(let tag):
                let element = StyledElement(
                    tag,
                    line: part.line,
                    in: open.last,
                    rules: rules,
                    around: open.map(\.tag)
                )
                if scheme == nil { check(element) }
                if !tag.isVoid { open.append(element) }
            case .text: checkContrast(part, scheme)
            case .comment, .style, .other: break
            }
        }
    }

    private mutating func check(_ element: StyledElement) {
        let tag = element.tag
        for fact in ClientFact.all {
            if fact.feature == .element(tag.name) { report(fact, "<\(tag.name)>", element.line) }
            for declaration in element.declarations
            where fact.concerns(declaration, on: tag.name) && !isReplaced(fact, on: element) {
                report(fact, "\(declaration.property): \(declaration.plainValue) on <\(tag.name)>", element.line)
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
            || fact.attributes.contains { element.tag[$0] != nil }
            || fact.isReplacedByTableForWord && hasTableForWord
    }

    private mutating func checkAtRules(_ rules: [StyleSheet.Rule], line: Int) {
        for rule in rules {
            let prelude =
                switch rule {
                case .style(let selectors, _): selectors
                case .group(let prelude, _): prelude
                case .statement(let text): text
                }
            guard prelude.hasPrefix("@") else { continue }
            for fact in ClientFact.all {
                guard case .atRule(let beginning) = fact.feature, prelude.hasPrefix(beginning) else { continue }
                report(fact, beginning + (beginning.contains("(") ? ")" : ""), line)
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
        guard let link = tag["href"] else { return }
        let schemes = ["https://", "http://", "mailto:", "tel:", "#"]
        if !schemes.contains(where: link.lowercased().hasPrefix) {
            warn("<a> leads to '\(link.prefix(40))': a mail has no page to which a link can be relative", line)
        }
    }

    private mutating func checkContrast(_ part: HTMLPart, _ scheme: String?) {
        guard let element = open.last, !element.isHidden, element.tag.name != "title",
            open.contains(where: { $0.tag.name == "body" }), part.source.contains(where: { !$0.isWhitespace }),
            let color = element.color, let background = element.background
        else { return }
        let contrast = color.contrast(with: background)
        guard contrast < BrandColor.leastContrast else { return }
        let shown = (contrast * 100).rounded(.down) / 100
        let place = [scheme].compactMap(\.self).map { " \($0)" }.joined()
        warn(
            "text of \(color.text) on \(background.text)\(place) has a contrast of \(shown):1; make it at least "
                + "\(BrandColor.leastContrast):1",
            part.line
        )
    }

    private mutating func checkLanguage(_ parts: [HTMLPart]) {
        let tags = parts.compactMap { part -> HTMLTag? in
            if case .tag(let tag) = part.content, !tag.isEnd { tag } else { nil }
        }
        if tags.first(where: { $0.name == "html" })?["lang"]?.lowercased() != locale.lowercased() {
            warn("<html> has no lang=\"\(locale)\": a screen reader would read the mail in another language", nil)
        }
        let inBody = tags.drop { $0.name != "body" }.dropFirst()
        if !inBody.contains(where: { $0["lang"]?.lowercased() == locale.lowercased() }) {
            warn(
                "no element within <body> has lang=\"\(locale)\": many programs keep neither <html> nor <body>, so write it "
                    + "on the outer cell, too",
                nil
            )
        }
    }

    private mutating func report(_ fact: ClientFact, _ feature: String, _ line: Int) {
        all.append(
            LintFinding(
                severity: fact.isDecoration ? .note : .warning,
                message: "\(feature) does nothing in \(fact.programNames): \(fact.remedy)",
                source: fact.source,
                line: line
            )
        )
    }

    private mutating func warn(_ message: String, _ line: Int?) {
        all.append(LintFinding(severity: .warning, message: message, source: nil, line: line))
    }
}
