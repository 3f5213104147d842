// The values that templates can name: the built-in ones and the row's variables. The built-in ones always win.

import OutboxCore

/// The values of one message.
///
/// | name             | value                                                                    |
/// |------------------|--------------------------------------------------------------------------|
/// | `link`           | the kind's link with the token in it                                     |
/// | `token`          | the token itself                                                         |
/// | `recipient`      | the address the mail goes to, as in the row                              |
/// | `sender_name`    | the sender's display name; a section where none is set is absent         |
/// | `sender_address` | the sender's address                                                     |
/// | `expires`        | a section, present when the row has `expires_at`: `in` and `at`          |
/// | `kind`           | the kind of mail                                                         |
/// | `locale`         | the language of the templates in use, such as `ja`                       |
///
/// A variable by one of these names is not an error, because an application may pass on an object that happens to have
/// a `locale`; it is never seen, though, not even where the built-in value is absent. So no row can replace its link.
enum TemplateValues {
    static func values(
        of message: Message,
        variables: [String: JSONValue],
        kind: MailKind,
        language: LanguageTag,
        sender: Sender
    ) -> [String: JSONValue] {
        var values = variables
        values["link"] = kind.link.map { .string($0.url(for: message.token)) }
        values["token"] = .string(message.token.secret)
        values["recipient"] = .string(message.recipient)
        values["sender_name"] = sender.name.map { .string($0) }
        values["sender_address"] = .string(sender.address)
        values["expires"] = message.expiresAt.map { expiresAt in
            .object(
                LinkLifetime(requestedAt: message.requestedAt, expiresAt: expiresAt).members(in: language.language)
            )
        }
        values["kind"] = .string(kind.name)
        values["locale"] = .string(language.text)
        return values
    }

    /// What to do about a value that the check at start finds missing.
    static func hint(forMissing name: String, kindPath: String) -> String {
        switch name.prefix(while: { $0 != "." }) {
        case "expires": "not every row has expires_at: write {{#expires}}…{{in}}…{{at}}…{{/expires}}"
        case "sender_name": "no name is configured for the sender: set it, or write {{#sender_name}}…{{/sender_name}}"
        default: "it is not built in: add a value for it to \(kindPath)/sample.json, or write {{#\(name)}}…{{/\(name)}}"
        }
    }
}
