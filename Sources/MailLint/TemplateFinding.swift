// The findings of all templates, put together where several mails have the same one. Never judges by itself.

package import MailComposer

/// A finding and the mails that have it.
package struct TemplateFinding: Sendable, Hashable {
    /// A mail with the finding.
    package struct Place: Sendable, Hashable {
        /// The kind of the mail.
        package let kind: String
        /// The locale of its templates.
        package let locale: String
        /// The line of its HTML part, counted from 1; `nil` where the whole mail is concerned.
        package let line: Int?
    }

    /// How much it matters.
    package let severity: LintFinding.Severity
    /// What is wrong, for whom, and what to do.
    package let message: String
    /// Where the statement about mail programs comes from, with the date of its test.
    package let source: String?
    /// The mails, in the order of kind, locale and line; never empty.
    package let places: [Place]

    /// The first place, and how many other mails have the finding: `verify-email en, line 43, and 12 more mails`.
    package var shownPlaces: String {
        let first = places[0]
        let line = first.line.map { ", line \($0)" } ?? ""
        let others = Set(places.map { [$0.kind, $0.locale] }).count - 1
        let more = others > 0 ? ", and \(others) more mail\(others == 1 ? "" : "s")" : ""
        return "\(first.kind) \(first.locale)\(line)\(more)"
    }
}

extension MailComposer {
    /// Checks every kind in every locale with its sample values: what common mail programs drop, and what readers need.
    ///
    /// - Parameter isWanted: asked before each mail; the check ends where it says no.
    /// - Returns: warnings first, each group in the order of the first mail that has it.
    /// - Throws: nothing that the composer's creation would not have found.
    package func lint(while isWanted: () -> Bool = { true }) throws(CompositionError) -> [TemplateFinding] {
        var order: [LintFinding] = []
        var places: [LintFinding: [TemplateFinding.Place]] = [:]
        for kind in kinds.sorted() {
            for locale in locales(ofKind: kind).sorted() {
                guard isWanted() else { return [] }
                let mail = MailLint(
                    page: try preview(kind: kind, locale: locale, part: .html),
                    text: try preview(kind: kind, locale: locale, part: .text),
                    octets: try preview(kind: kind, locale: locale, part: .message).utf8.count,
                    locale: locale
                )
                for finding in mail.findings() {
                    let group = LintFinding(
                        severity: finding.severity,
                        message: finding.message,
                        source: finding.source,
                        line: nil
                    )
                    if places[group] == nil { order.append(group) }
                    places[group, default: []].append(.init(kind: kind, locale: locale, line: finding.line))
                }
            }
        }
        let findings = order.map { group in
            TemplateFinding(
                severity: group.severity,
                message: group.message,
                source: group.source,
                places: places[group] ?? []
            )
        }
        return findings.filter { $0.severity == .warning } + findings.filter { $0.severity == .note }
    }
}
