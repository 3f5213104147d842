// One kind of mail: its templates by language, its link, its sample variables. Chooses the language, never the wording.

import MailTemplates
import OutboxCore

/// A folder of templates and the link for its mails. A class, because it is passed on for each message.
final class MailKind: Sendable {
    let name: String
    let templates: [LanguageTag: LocalizedTemplates]
    /// `nil` only if no template of the kind asks for a link.
    let link: LinkTemplate?
    /// Whether the mails show a code.
    let showsCode: Bool
    /// The fields that all mails of the kind share.
    let frame: HeaderFrame
    /// The content of `sample.json`.
    let rules: VariableRules

    /// The templates by the names that rows usually have for their languages, and those for a row without a language.
    private let byName: [String: LocalizedTemplates]
    private let english: LocalizedTemplates?

    init(
        name: String,
        templates: [LanguageTag: LocalizedTemplates],
        link: LinkTemplate?,
        showsCode: Bool,
        frame: HeaderFrame,
        rules: VariableRules
    ) {
        self.name = name
        self.templates = templates
        self.link = link
        self.showsCode = showsCode
        self.frame = frame
        self.rules = rules
        let named = templates.flatMap { tag, localized in [(tag.text, localized), (tag.canonical, localized)] }
        byName = Dictionary(named) { first, _ in first }
        english = templates[.fallback]
    }

    /// The variables for the check at start and for previews.
    var sampleVariables: [String: JSONValue] { rules.samples }

    /// The templates for the language that a row requests.
    func lookUp(_ locale: String?) -> LocalizedTemplates {
        // Looking a language up takes its tag apart, and nearly no row needs that.
        let known = if let locale { byName[locale] } else { english }
        guard let found = known ?? templates[LanguageTag.lookUp(locale, in: templates.keys)] else {
            preconditionFailure("a kind without English templates passed the check at start")
        }
        return found
    }
}
