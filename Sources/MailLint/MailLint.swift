// Finds in a composed mail what its readers would miss: by the table of facts, and by rules that concern every program.
// Never sends a mail, and never changes a template.

import OutboxCore

/// Something about a mail's look that its author should know.
package struct LintFinding: Sendable, Hashable {
    /// How much it matters.
    package enum Severity: String, Sendable {
        /// A reader misses something, or reads with difficulty.
        case warning
        /// Some programs leave out a decoration.
        case note
    }

    /// How much it matters.
    package let severity: Severity
    /// What is wrong, for whom, and what to do.
    package let message: String
    /// Where the statement about the programs comes from, with the date of its test; `nil` for a rule of its own.
    package let source: String?
    /// The line of the HTML part, counted from 1; `nil` where the whole mail is concerned.
    package let line: Int?
}

/// Checks the mails of one kind and locale.
package struct MailLint: Sendable {
    /// The HTML part.
    package let page: String
    /// The text part.
    package let text: String
    /// The size of the whole mail in octets.
    package let octets: Int
    /// The locale of the templates, such as `pt-BR`.
    package let locale: String

    /// Above this size Gmail is near the 102 kB after which it hides the rest of a mail
    /// (https://github.com/hteumeuleu/email-bugs/issues/41).
    static let mostOctets = 90_000
    /// A longer page is not read: nobody would see its end.
    static let mostOctetsOfPage = 262_144

    /// Creates a check of a composed mail.
    package init(page: String, text: String, octets: Int, locale: String) {
        self.page = page
        self.text = text
        self.octets = octets
        self.locale = locale
    }

    /// The findings, in the order of the page; the same one at one line only once.
    package func findings() -> [LintFinding] {
        let isRead = page.utf8.count <= Self.mostOctetsOfPage && text.utf8.count <= Self.mostOctetsOfPage
        let parts = isRead ? HTMLPart.all(of: page) : []
        var found = isRead ? PageFindings(parts, locale: locale).all : []
        if octets > Self.mostOctets {
            found.append(
                LintFinding(
                    severity: .warning,
                    message:
                        "the mail has \(octets) octets: Gmail hides the end of a mail of more than 102 kB, so stay "
                        + "below 90,000\(isRead ? "" : "; nothing else of it was checked")",
                    source: "https://github.com/hteumeuleu/email-bugs/issues/41, 2018-05-17",
                    line: nil
                )
            )
        }
        if isRead { found += linkFindings(parts) }
        var seen: Set<LintFinding> = []
        let all = found.filter { seen.insert($0).inserted }
        let warnings = all.filter { $0.severity == .warning }
        guard warnings.count > PageFindings.mostFindings else { return all }
        let more = LintFinding(
            severity: .warning,
            message: "the mail has more warnings than \(PageFindings.mostFindings): mend these first",
            source: nil,
            line: nil
        )
        return warnings.prefix(PageFindings.mostFindings) + [more] + all.filter { $0.severity == .note }
    }

    /// Some people read the text part only. So it leads to the same pages.
    private func linkFindings(_ parts: [HTMLPart]) -> [LintFinding] {
        let inPage = Set(
            parts.compactMap { part -> String? in
                guard case .tag(let tag) = part.content, tag.name == "a", let link = tag["href"] else { return nil }
                return link.decodingQuotes.trimmed
            }.filter(Self.isWebLink).map(Self.normalized)
        )
        let inText = Set(Self.webLinks(text).map(Self.normalized))
        return [
            (inPage.subtracting(inText), "is in the HTML part alone: add it to the text part"),
            (inText.subtracting(inPage), "is in the text part alone: add it to the HTML part"),
        ].flatMap { links, reason in
            links.sorted().map { link in
                LintFinding(
                    severity: .warning,
                    message: "the link to \(link.withoutQuery.shown) \(reason)",
                    source: nil,
                    line: nil
                )
            }
        }
    }

    /// The links in a text, each up to the first character that a URL can't have, as mail programs find them.
    private static func webLinks(_ text: String) -> [String] {
        var links: [String] = []
        var rest = text[...]
        while let begin = rest.firstIndex(where: { $0 == "h" || $0 == "H" }) {
            guard rest[begin...].prefix(4).lowercased() == "http" else {
                rest = rest[rest.index(after: begin)...]
                continue
            }
            let link = rest[begin...].prefix { $0.isASCII && !$0.isWhitespace && !"<>\"".contains($0) }
            rest = rest[link.endIndex...]
            let end = link.lastIndex { !".,;:!?)".contains($0) }
            if let found = end.map({ String(link[...$0]) }), isWebLink(found) { links.append(found) }
        }
        return links
    }

    private static func isWebLink(_ text: String) -> Bool {
        ["https://", "http://"].contains(text.prefix { $0 != "/" }.lowercased() + "//") && text.contains("://")
    }

    /// Scheme and host in lower case, which make no difference (RFC 3986 §6.2.2.1).
    private static func normalized(_ link: String) -> String {
        guard let host = link.firstRange(of: "://")?.upperBound else { return link }
        let end = link[host...].firstIndex { "/?#".contains($0) } ?? link.endIndex
        return link[..<end].lowercased() + (end == link.endIndex ? "/" : "") + link[end...]
    }
}
