// The values that templates can name: the built-in ones and the row's variables. Built-in values always win.

import MailTemplates
import OutboxCore

/// The values of one message.
///
/// | name             | value                                                                    |
/// |------------------|--------------------------------------------------------------------------|
/// | `link`           | the kind's link with the token in it                                     |
/// | `token`          | the token itself                                                         |
/// | `code`           | eight digits; a section is absent where `tokens.codes` lacks the kind    |
/// | `recipient`      | the address the mail goes to, as in the row                              |
/// | `sender_name`    | the sender's display name; a section where none is set is absent         |
/// | `sender_address` | the sender's address                                                     |
/// | `requested`      | `at`: when the mail was requested (see `RequestMoment`)                  |
/// | `expires`        | a section, present with `expires_at` or `valid_for` (see `LinkLifetime`) |
/// | `kind`           | the kind of mail                                                         |
/// | `locale`         | the language of the templates in use, such as `ja`                       |
/// | `direction`      | how that language is written: `ltr` or `rtl`                             |
/// | `start`          | the side where its lines begin: `left` or `right`                        |
/// | `reply_to`, `company`, `help`, `ask_again`, `logo` | as configured; sections where none is set are absent |
/// | `button_color`, `button_color_dark`, `button_text_dark` | the colours of the button               |
///
/// A variable with one of these names is not an error, because an application may pass on an object that happens to
/// have a `locale`. But it is never used, even if the built-in
/// value is absent, except within a section of one of the row's own objects, whose members come first in Mustache.
struct TemplateValues {
    /// In the order of `builtIn`.
    static let builtInNames = ["link", "token", "code", "recipient", "requested", "expires"] + constantNames
    private static let constantNames = [
        "sender_name", "sender_address", "kind", "locale", "direction", "start", "reply_to", "company", "help",
        "ask_again", "logo", "button_color", "button_color_dark", "button_text_dark",
    ]

    /// The values of the message, for the first of `builtInNames`.
    let builtIn: [JSONValue?]
    /// The values of `constantNames`.
    let constants: [JSONValue?]
    let variables: JSONValue

    init(
        of message: Message,
        variables: [String: JSONValue],
        link: LinkTemplate?,
        templates: LocalizedTemplates
    ) {
        let words = templates.words
        let zone = message.timeZone.map { ReaderZone.zone(named: $0, in: templates.language) } ?? templates.zone
        let lifetime = message.expiresAt.map { expiresAt in
            // With valid_for the time begins when the mail leaves.
            LinkLifetime(
                beginning: message.validFor == nil ? .request : .sending,
                beginsAt: message.validFor.map { expiresAt - $0 } ?? message.requestedAt,
                expiresAt: expiresAt
            ).members(in: words, zone: zone)
        }
        let request = RequestMoment(requestedAt: message.requestedAt, sentAt: message.firstAttemptAt)
        self.variables = .object(variables)
        constants = templates.constants
        builtIn = [
            link.flatMap { link in message.token.map { .string(link.url(for: $0)) } },
            message.token.map { .string($0.secret) },
            message.code.map { .string($0.secret) },
            .string(Self.shown(message.recipient)),
            .object(["at": .string(request.text(in: words, zone: zone))]),
            lifetime.map { .object($0) },
        ]
    }

    /// An address as mails show it. It is the reader's own, so it stays whole, except for a part before the @ that looks
    /// like a URL.
    private static func shown(_ recipient: String) -> String {
        let octets = recipient.utf8Span.span
        guard
            octets.indices.contains(where: { octets[$0] == UInt8(ascii: "/") || octets[$0] == UInt8(ascii: ":") }),
            let at = recipient.lastIndex(of: "@")
        else { return recipient }
        return StrangersText().cleaned(String(recipient[..<at])) + recipient[at...]
    }

    /// The values that all mails of a kind in one language share, in the order of `constantNames`.
    static func constants(kind: String, language: LanguageTag, sender: Sender, options: MailOptions) -> [JSONValue?] {
        let isRightToLeft = language.isRightToLeft
        return [
            sender.name.map { .string($0) },
            .string(sender.address),
            .string(kind),
            .string(language.canonical),
            .string(isRightToLeft ? "rtl" : "ltr"),
            .string(isRightToLeft ? "right" : "left"),
            options.replyTo.map { .string($0) },
            options.company.map { .string($0) },
            options.help.map { .string($0.text) },
            options.askAgain[kind].map { .string($0.text) },
            options.logo.map { .string($0.text) },
            .string(options.color.text),
            .string(options.color.dark),
            .string(options.color.darkText),
        ]
    }

    /// The values of `constants`, by their names; null for an absent one, so that its sections disappear from the
    /// compiled template.
    static func byName(_ constants: [JSONValue?]) -> [String: JSONValue] {
        Dictionary(uniqueKeysWithValues: zip(constantNames, constants.map { $0 ?? .null }))
    }

    /// The remedy for a value that the check at start finds missing.
    static func hint(forMissing name: String, kindPath: String) -> String {
        switch name.prefix(while: { $0 != "." }) {
        case "code":
            "tokens.codes lacks the kind: add the kind there, or write {{#code}}…{{/code}}"
        case "expires": "not every row has expires_at: write {{#expires}}…{{in}}…{{at}}…{{/expires}}"
        case "reply_to", "company", "help", "ask_again", "logo":
            "it is not configured everywhere: write {{#\(name)}}…{{/\(name)}}"
        case "sender_name": "no name is configured for the sender: set it, or write {{#sender_name}}…{{/sender_name}}"
        default: "it is not built in: add a sample of it to \(kindPath)/sample.json, or write {{#\(name)}}…{{/\(name)}}"
        }
    }
}
