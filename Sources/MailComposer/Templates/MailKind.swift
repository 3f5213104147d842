// One kind of mail: its templates by language, its link, its sample variables. Decides the language, never the wording.

/// A folder of templates and the link that its mails carry.
struct MailKind: Sendable {
    let name: String
    let templates: [LanguageTag: MailTemplates]
    /// `nil` only if no template of the kind asks for a link.
    let link: LinkTemplate?
    /// What `sample.json` holds: the variables for the check at start and for previews.
    let sampleVariables: [String: JSONValue]
    /// Of its languages those that are written from right to left: asked once, because the answer takes ICU a while.
    private let rightToLeft: Set<LanguageTag>

    init(
        name: String,
        templates: [LanguageTag: MailTemplates],
        link: LinkTemplate?,
        sampleVariables: [String: JSONValue]
    ) {
        self.name = name
        self.templates = templates
        self.link = link
        self.sampleVariables = sampleVariables
        rightToLeft = Set(templates.keys.filter(\.isRightToLeft))
    }

    /// Whether one of its languages is written from right to left.
    func isRightToLeft(_ language: LanguageTag) -> Bool { rightToLeft.contains(language) }

    /// The templates for the language a row asks for, and the language they are in.
    func lookUp(_ locale: String?) -> (language: LanguageTag, templates: MailTemplates) {
        let language = LanguageTag.lookUp(locale, in: templates.keys)
        guard let found = templates[language] else {
            preconditionFailure("a kind without English templates passed the check at start")
        }
        return (language, found)
    }
}
