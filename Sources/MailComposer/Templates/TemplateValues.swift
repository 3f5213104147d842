// The values that templates can name: the built-in ones and the row's variables. The built-in ones always win.

import OutboxCore

/// The values of one message, taken apart into what can change the course of a template and what is only text to it.
///
/// | name             | value                                                                    |
/// |------------------|--------------------------------------------------------------------------|
/// | `link`           | the kind's link with the token in it                                     |
/// | `token`          | the token itself                                                         |
/// | `recipient`      | the address the mail goes to, as in the row                              |
/// | `sender_name`    | the sender's display name; a section where none is set is absent         |
/// | `sender_address` | the sender's address                                                     |
/// | `requested`      | `at`: when the mail was requested (see `RequestMoment`)                  |
/// | `expires`        | a section, present when the row has `expires_at`: `in` and `at`          |
/// | `kind`           | the kind of mail                                                         |
/// | `locale`         | the language of the templates in use, such as `ja`                       |
/// | `direction`      | how that language is written: `ltr` or `rtl`                             |
/// | `start`          | the side where its lines begin: `left` or `right`                        |
///
/// A variable by one of these names is not an error, because an application may pass on an object that happens to have
/// a `locale`; it is never seen, though, not even where the built-in value is absent. So no row can replace its link.
struct TemplateValues {
    /// The same for two messages exactly if every template takes the same course for both: which names there are, which
    /// of their values are null, true, false, texts (or numbers), and how long lists are.
    private(set) var shape: [UInt8]
    /// The texts and numbers, in an order that follows from the shape.
    private(set) var texts: [String]
    private let variables: [String: JSONValue]
    private let builtIn: [(name: String, value: JSONValue?)]

    init(
        of message: Message,
        variables: [String: JSONValue],
        kind: MailKind,
        language: LanguageTag,
        sender: Sender
    ) {
        let lifetime = message.expiresAt.map { expiresAt in
            LinkLifetime(requestedAt: message.requestedAt, expiresAt: expiresAt).members(in: language.language)
        }
        let isRightToLeft = kind.isRightToLeft(language)
        let request = RequestMoment(requestedAt: message.requestedAt, sentAt: message.firstAttemptAt)
        self.variables = variables
        builtIn = [
            ("link", kind.link.map { .string($0.url(for: message.token)) }),
            ("token", .string(message.token.secret)),
            ("recipient", .string(message.recipient)),
            ("sender_name", sender.name.map { .string($0) }),
            ("sender_address", .string(sender.address)),
            ("requested", .object(["at": .string(request.text(in: language.language))])),
            ("expires", lifetime.map { .object($0) }),
            ("kind", .string(kind.name)),
            ("locale", .string(language.text)),
            ("direction", .string(isRightToLeft ? "rtl" : "ltr")),
            ("start", .string(isRightToLeft ? "right" : "left")),
        ]
        shape = []
        texts = []
        for (_, value) in builtIn { note(value) }
        if !variables.isEmpty { note(.object(variables)) }
    }

    /// The values as the templates look them up.
    var all: [String: JSONValue] { combined(variables, with: builtIn.map(\.value)) }

    /// The values with `mark(n)` for the text at place n of `texts`.
    func marked(by mark: (Int) -> String) -> [String: JSONValue] {
        var place = 0
        func marking(_ value: JSONValue) -> JSONValue {
            switch value {
            case .null, .bool: return value
            case .string, .number:
                defer { place += 1 }
                return .string(mark(place))
            case .array(let elements): return .array(elements.map { marking($0) })
            case .object(let members): return .object(marking(members))
            }
        }
        func marking(_ members: [String: JSONValue]) -> [String: JSONValue] {
            Dictionary(uniqueKeysWithValues: members.sortedByName.map { ($0, marking($1)) })
        }
        // In the order in which `texts` was filled.
        let builtIn = builtIn.map { $0.value.map { marking($0) } }
        return combined(marking(variables), with: builtIn)
    }

    private func combined(_ variables: [String: JSONValue], with values: [JSONValue?]) -> [String: JSONValue] {
        var all = variables
        for ((name, _), value) in zip(builtIn, values) { all[name] = value }
        return all
    }

    private mutating func note(_ value: JSONValue?) {
        switch value {
        case nil: shape.append(UInt8(ascii: "-"))
        case .null: shape.append(UInt8(ascii: "n"))
        case .bool(let bool): shape.append(bool ? UInt8(ascii: "t") : UInt8(ascii: "f"))
        case .string(let text), .number(let text):
            shape.append(UInt8(ascii: "s"))
            texts.append(text)
        case .array(let elements):
            shape.append(UInt8(ascii: "["))
            for element in elements { note(element) }
            shape.append(UInt8(ascii: "]"))
        case .object(let members):
            shape.append(UInt8(ascii: "{"))
            for (name, member) in members.sortedByName {
                // With its length, because a name may have any character.
                shape += String(name.utf8.count).utf8
                shape.append(UInt8(ascii: ":"))
                shape += name.utf8
                note(member)
            }
            shape.append(UInt8(ascii: "}"))
        }
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

extension [String: JSONValue] {
    fileprivate var sortedByName: [(key: String, value: JSONValue)] { sorted { $0.key < $1.key } }
}
