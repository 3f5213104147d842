// The three templates of one kind in one language. Knows nothing of MIME.

import InternetMessage
import MailTemplates

/// The templates of one kind of mail in one language. A class, because it is passed on for each message.
final class LocalizedTemplates: Sendable {
    let language: LanguageTag
    /// The language for `Content-Language`.
    let locale: String
    let words: TimeWords
    /// The zone of a mail whose row names none.
    let zone: ReaderZone
    let subject: Template
    let text: BodyTemplate
    let html: BodyTemplate
    /// The values that do not depend on the message.
    let constants: [JSONValue?]
    /// The first components of the names that the templates ask for.
    let names: Set<String>
    let isRightToLeft: Bool
    /// The subject, if it is the same in every mail.
    private let constantSubject: Subject?
    /// The last fields of the header, up to the boundary.
    let lastFields: [UInt8]

    init(
        language: LanguageTag,
        subject: Template,
        text: BodyTemplate,
        html: BodyTemplate,
        constants: [JSONValue?]
    ) {
        self.language = language
        locale = language.canonical
        words = TimeWords(language)
        zone = .ofLanguage(language)
        self.subject = subject
        self.text = text
        self.html = html
        self.constants = constants
        names = subject.names.union(text.template.names).union(html.template.names)
        isRightToLeft = language.isRightToLeft
        constantSubject = subject.constantText.flatMap { Subject($0) }
        lastFields = HeaderFrame.lastFields(language: locale)
    }

    var all: [Template] { [subject, text.template, html.template] }

    /// The subject with a message's values, each on one line.
    ///
    /// - Throws: the first value that is missing or can't be printed, or that the subject is empty.
    func subject(_ values: TemplateValues) throws(CompositionError) -> Subject {
        if let constantSubject { return constantSubject }
        let pieces = try subject.pieces(values).map { piece in
            if case .value(let text) = piece { Template.Piece.value(text.onOneLine) } else { piece }
        }
        guard let found = Subject(String(decoding: subject.bytes(of: pieces), as: UTF8.self)) else {
            throw .emptySubject(file: subject.file)
        }
        return found
    }
}

/// The subject of a mail.
struct Subject: Sendable {
    /// On one line.
    let text: String
    /// The header field.
    let field: [UInt8]

    /// `nil` if the text is empty, or only white space.
    init?(_ text: String) {
        guard text.contains(where: { !$0.isWhitespace }) else { return nil }
        self.text = text
        var field: [UInt8] = []
        HeaderField.appendText("Subject", text, to: &field)
        self.field = field
    }
}

extension Template {
    /// - Throws: the first value that is missing or can't be printed.
    func text(_ values: TemplateValues) throws(CompositionError) -> String {
        String(decoding: bytes(of: try pieces(values)), as: UTF8.self)
    }

    /// - Throws: the first value that is missing or can't be printed.
    func pieces(_ values: TemplateValues) throws(CompositionError) -> [Piece] {
        let (pieces, faults) = render(values.variables, builtIn: values.builtIn, constants: values.constants)
        guard let fault = faults.first else { return pieces }
        switch fault.reason {
        case .missing: throw .missingVariable(name: fault.name, file: fault.file, line: fault.line)
        case .unprintable: throw .unprintableVariable(name: fault.name, file: fault.file, line: fault.line)
        }
    }
}
