// Composes the bytes of a mail from a message and its token. Reads files only on creation; no clock, no network.

package import InternetMessage
import MailTemplates
package import OutboxCore

/// Makes mails from rows of the outbox, with templates that were read and checked at start.
///
/// Thread-safe. The same message gives the same bytes every time and in every process, so that mail systems and people
/// can recognise a repeated attempt.
package struct MailComposer: Sendable {
    private let kindsByName: [String: MailKind]
    private let senderNeedsSMTPUTF8: Bool
    /// The end of each Message-ID: `@`, the sender's domain and `>`.
    private let messageIDEnd: String

    /// Reads all templates and renders each with sample values, with and without an expiry.
    ///
    /// - Parameters:
    ///   - templates: the path of the folder with `<kind>/<language>.mustache` and `partials` (see
    ///     `TemplateFolder`). Each kind has `en`, and, if its templates use variables of the application, `<kind>/sample.json`
    ///     with a value for each.
    ///   - links: the link of the mails of each kind.
    ///   - sender: the author of the mails.
    ///   - codes: the kinds whose mails show a code.
    ///   - options: what else mails show.
    /// - Throws: all problems of these values, each with its file and line or its configuration key.
    package init(
        templates: String,
        links: [String: LinkTemplate],
        sender: Sender,
        codes: Set<String> = [],
        options: MailOptions = MailOptions()
    ) throws(TemplateLoadingError) {
        var path = templates
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        let folder = TemplateFolder(path: path, sender: sender, options: options)
        var problems = folder.problems

        let kindNames = Set(folder.kinds.map(\.name))
        for kind in links.keys.sorted() where !kindNames.contains(kind) {
            problems.append(
                .init(
                    "links.\(kind.printable)",
                    "has no folder \(path)/\(kind.printable): remove the link, or add it"
                )
            )
        }
        let named = [("ask_again", Set(options.askAgain.keys)), ("feedback_id", Set(options.feedbackIDs.keys))]
        for (setting, kinds) in named {
            for kind in kinds.subtracting(kindNames).sorted() {
                problems.append(
                    .init("\(setting).\(kind)", "has no folder \(path)/\(kind): remove the line, or add it")
                )
            }
        }
        if let name = sender.name, name.unicodeScalars.contains(where: \.isControl) || name.allSatisfy(\.isWhitespace) {
            problems.append(.init("sender.name", "is empty or has a control character: write a name, or leave it out"))
        }
        let mailbox: Mailbox
        do throws(InvalidMailbox) {
            mailbox = try Mailbox(sender.address)
        } catch {
            problems.append(.init("sender.address", "must be \(error.expected)"))
            throw Self.loadingError(problems)
        }
        senderNeedsSMTPUTF8 = mailbox.needsSMTPUTF8
        messageIDEnd = "@\(mailbox.domain)>"

        var kindsByName: [String: MailKind] = [:]
        for found in folder.kinds {
            let kind = MailKind(
                name: found.name,
                templates: found.templates,
                link: links[found.name],
                showsCode: codes.contains(found.name),
                frame: HeaderFrame(
                    sender: sender.name,
                    mailbox: mailbox,
                    replyTo: options.replyTo,
                    feedbackID: options.feedbackIDs[found.name]
                ),
                rules: found.rules
            )
            kindsByName[kind.name] = kind
            let usesLink = kind.templates.values.contains { $0.all.contains { $0.names.contains("link") } }
            if usesLink, links[kind.name] == nil {
                problems.append(
                    .init("links.\(kind.name)", "is not set, and templates in \(found.path) use {{link}}: set it")
                )
            }
            if codes.contains(kind.name) {
                // In each part, because people read only one of them.
                let without = kind.templates.filter { locale in
                    [locale.value.text.template, locale.value.html.template].contains {
                        !$0.shownNames.contains("code")
                    }
                }
                if !without.isEmpty {
                    let locales = without.keys.map(\.canonical).sorted().joined(separator: ", ")
                    problems.append(
                        .init(
                            "tokens.codes",
                            "has \(kind.name), whose mails do not show {{code}} in text and HTML (\(found.path): "
                                + "\(locales)): add it there, or remove the kind"
                        )
                    )
                }
            }
            problems += Self.problemsRendering(kind, path: found.path)
        }
        guard problems.isEmpty else { throw Self.loadingError(problems) }
        self.kindsByName = kindsByName
    }

    /// Lists each problem once, although a partial may cause it in several templates.
    private static func loadingError(_ problems: [TemplateProblem]) -> TemplateLoadingError {
        var seen: Set<TemplateProblem> = []
        return TemplateLoadingError(problems: problems.filter { seen.insert($0).inserted })
    }

    /// The kinds of mail that have templates.
    package var kinds: Set<String> { Set(kindsByName.keys) }

    /// The kinds whose mails show the token, in the link or elsewhere: for a row without a token, one is minted.
    package var kindsWithToken: Set<String> {
        Set(
            kindsByName.values.filter { kind in
                kind.templates.values.contains { $0.all.contains { !$0.names.isDisjoint(with: ["link", "token"]) } }
            }.map(\.name)
        )
    }

    /// The locales of a kind's templates, such as `en` and `pt-BR`; empty for an unknown kind.
    package func locales(ofKind kind: String) -> Set<String> {
        Set((kindsByName[kind]?.templates.keys.map(\.canonical)) ?? [])
    }

    /// The locale in which a mail is written.
    ///
    /// - Parameters:
    ///   - kind: one of `kinds`.
    ///   - requested: a language tag as in a row.
    /// - Throws: `unknownKind`.
    package func localeInUse(kind: String, requested: String) throws(CompositionError) -> String {
        guard let found = kindsByName[kind] else { throw .unknownKind(kind) }
        return found.lookUp(requested).locale
    }

    /// Composes the mail of a row.
    ///
    /// It is written in the language that RFC 4647 §3.4 finds for the row's locale, else in English.
    /// - Throws: a fault of the row, which another attempt does not fix.
    package func compose(_ message: Message) throws(CompositionError) -> Mail {
        guard let kind = kindsByName[message.kind] else { throw .unknownKind(message.kind) }
        let templates = kind.lookUp(message.locale)
        let (variables, fault) = Self.variables(of: message, names: templates.names)
        do throws(CompositionError) {
            return try compose(message, kind, templates, variables: variables)
        } catch {
            if let fault, case .missingVariable = error { throw fault }
            throw error
        }
    }

    /// The variables of a row. If they can't be read, they are empty, and the error matters only if a template then
    /// lacks a value: a row that bypassed the schema should not fail for values that no template shows.
    ///
    /// - Parameter names: the names that the templates ask for; other variables are left out.
    private static func variables(
        of message: Message,
        names: Set<String>
    ) -> ([String: JSONValue], CompositionError?) {
        // Nearly every row has no variables, and an ORM that writes every column writes an empty text for a missing
        // value.
        if message.variables == "{}" || message.variables.isEmpty { return ([:], nil) }
        do throws(JSONReader.Fault) {
            return (try JSONReader.members(of: message.variables, named: names), nil)
        } catch {
            switch error {
            case .notAnObject: return ([:], .variablesNotAnObject)
            case .tooDeep: return ([:], .variablesTooDeep)
            case .tooLarge: return ([:], .variablesTooLarge)
            }
        }
    }

    /// A part of a mail with sample values: the kind's `sample.json`, an invented recipient and token, and an expiry in
    /// half an hour.
    ///
    /// - Parameters:
    ///   - kind: one of `kinds`.
    ///   - locale: a language tag as in a row, or `nil` for English.
    ///   - part: the part to show.
    /// - Throws: `unknownKind`; any other error was found at start.
    package func preview(kind: String, locale: String?, part: PreviewPart) throws(CompositionError) -> String {
        guard let found = kindsByName[kind] else { throw .unknownKind(kind) }
        let message = Self.sampleMessage(found, locale: locale, expires: true)
        let templates = found.lookUp(locale)
        let values = TemplateValues(
            of: message,
            variables: found.rules.shown(
                found.sampleVariables,
                names: templates.names,
                inRightToLeft: templates.isRightToLeft
            ).values,
            link: found.link,
            templates: templates
        )
        switch part {
        case .subject: return try templates.subject(values).text
        case .text: return try templates.text.template.text(values)
        case .html: return try templates.html.template.text(values)
        case .message:
            let mail = try compose(message, found, templates, variables: found.sampleVariables)
            return String(decoding: mail.bytes, as: UTF8.self)
        }
    }

    /// A whole mail with sample values like `preview`'s, to a real recipient.
    ///
    /// - Parameters:
    ///   - kind: one of `kinds`.
    ///   - locale: a language tag as in a row, or `nil` for English.
    ///   - recipient: whom to mail.
    ///   - envelopeID: another one for each mail, because mail systems drop a second mail with the same Message-ID.
    ///   - now: the date of the mail.
    /// - Returns: the mail, the language of its templates, and the secrets that a peer could repeat. Its token redeems
    ///   nothing.
    /// - Throws: `unknownKind`, or a fault of the recipient.
    package func sample(
        kind: String,
        locale: String?,
        recipient: String,
        envelopeID: EnvelopeID,
        now: Timestamp
    ) throws(CompositionError) -> (mail: Mail, language: String, secrets: [String]) {
        guard let found = kindsByName[kind] else { throw .unknownKind(kind) }
        let message = Self.sampleMessage(
            found,
            locale: locale,
            expires: true,
            recipient: recipient,
            envelopeID: envelopeID.text,
            requestedAt: now
        )
        let templates = found.lookUp(locale)
        let mail = try compose(message, found, templates, variables: found.sampleVariables)
        return (mail, templates.locale, message.secrets)
    }

    private func compose(
        _ message: Message,
        _ kind: MailKind,
        _ templates: LocalizedTemplates,
        variables: [String: JSONValue]
    ) throws(CompositionError) -> Mail {
        if let key = message.missingTokenKey { throw .missingTokenKey(key) }
        guard let envelopeID = EnvelopeID(message.envelopeID) else { throw .invalidEnvelopeID }
        let recipient: Mailbox
        do throws(InvalidMailbox) {
            recipient = try Mailbox(message.recipient)
        } catch {
            throw .invalidRecipient(error)
        }
        // Nearly no row has variables that its mail shows.
        let (variables, changed) =
            variables.isEmpty
            ? ([:], [])
            : kind.rules.shown(variables, names: templates.names, inRightToLeft: templates.isRightToLeft)
        let values = TemplateValues(
            of: message,
            variables: variables,
            link: kind.link,
            templates: templates
        )
        let subject = try templates.subject(values)
        let messageID = "<" + envelopeID.text + messageIDEnd
        let encoded = MIMEMessage(
            frame: kind.frame,
            recipient: recipient,
            messageID: messageID,
            envelopeID: envelopeID.text,
            sentAt: message.firstAttemptAt,
            templates: templates,
            subject: subject,
            text: try templates.text.template.pieces(values),
            html: try templates.html.template.pieces(values)
        ).encoded()
        return Mail(
            bytes: encoded,
            messageID: messageID,
            subject: subject.text,
            recipient: recipient.address,
            needsSMTPUTF8: recipient.needsSMTPUTF8 || senderNeedsSMTPUTF8,
            changedVariables: changed
        )
    }

    /// The problems of rendering a kind's templates with its sample values.
    private static func problemsRendering(_ kind: MailKind, path: String) -> [TemplateProblem] {
        var problems: [TemplateProblem] = []
        for (language, templates) in kind.templates.sorted(by: { $0.key.text < $1.key.text }) {
            for expires in [true, false] {
                let values = TemplateValues(
                    of: sampleMessage(kind, locale: language.text, expires: expires),
                    variables: kind.sampleVariables,
                    link: kind.link,
                    templates: templates
                )
                for template in templates.all {
                    for fault in template.render(
                        values.variables,
                        builtIn: values.builtIn,
                        constants: values.constants
                    ).faults
                    where fault.name != "link" {
                        let reason =
                            switch fault.reason {
                            case .missing: TemplateValues.hint(forMissing: fault.name, kindPath: path)
                            case .unprintable: "it is an object or a list: name a member, or use a section"
                            }
                        problems.append(
                            .init(fault.file, line: fault.line, "{{\(fault.name)}} has no text: \(reason)")
                        )
                    }
                }
                do throws(CompositionError) {
                    _ = try templates.subject(values)
                } catch {
                    // Any other error is listed above already, with its line.
                    if case .emptySubject(let file) = error { problems.append(.init(file, "the subject is empty")) }
                }
            }
        }
        return problems
    }

    /// With a link that works for half an hour. The default is requested at 23 November 2026, 14:00 UTC.
    private static func sampleMessage(
        _ kind: MailKind,
        locale: String?,
        expires: Bool,
        recipient: String = "jane.doe@example.com",
        envelopeID: String = "preview",
        requestedAt: Timestamp = Timestamp(milliseconds: 1_795_442_400_000)
    ) -> Message {
        Message(
            id: 1,
            kind: kind.name,
            recipient: recipient,
            token: Token("SAMPLE-Zk3vQ9xT7bLm2RcW"),
            code: kind.showsCode ? Token("12345678") : nil,
            locale: locale,
            envelopeID: envelopeID,
            requestedAt: requestedAt,
            expiresAt: expires ? requestedAt + .seconds(1800) : nil
        )
    }
}
