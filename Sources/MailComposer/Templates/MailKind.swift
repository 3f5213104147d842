// One kind of mail: its templates by language, its link, its sample variables. Chooses the language, never the wording.

import MailTemplates
import OutboxCore

/// A folder of templates and the link for its mails.
struct MailKind: Sendable {
    let name: String
    let templates: [LanguageTag: LocalizedTemplates]
    /// `nil` only if no template of the kind asks for a link.
    let link: LinkTemplate?
    /// Whether the mails show a code.
    let showsCode: Bool
    let feedbackID: FeedbackID?
    /// The content of `sample.json`.
    let rules: VariableRules

    /// The variables for the check at start and for previews.
    var sampleVariables: [String: JSONValue] { rules.samples }

    /// The templates for the language that a row requests.
    func lookUp(_ locale: String?) -> LocalizedTemplates {
        let language = LanguageTag.lookUp(locale, in: templates.keys)
        guard let found = templates[language] else {
            preconditionFailure("a kind without English templates passed the check at start")
        }
        return found
    }
}
