// The three templates of one kind in one language. Renders them together; knows nothing of MIME.

/// What a mail of one kind says in one language.
struct MailTemplates: Sendable {
    /// A rendered mail, before it is encoded.
    struct Rendered {
        let subject: String
        let text: String
        let html: String
    }

    let subject: Template
    let text: Template
    let html: Template

    var all: [Template] { [subject, text, html] }

    func render(_ values: [String: JSONValue]) throws(CompositionError) -> Rendered {
        Rendered(
            subject: try renderSubject(values),
            text: try text.render(values),
            html: try html.render(values)
        )
    }

    /// - Throws: also when the subject is empty or has a control character, whatever brought it in.
    func renderSubject(_ values: [String: JSONValue]) throws(CompositionError) -> String {
        let rendered = try subject.render(values)
        guard !rendered.unicodeScalars.contains(where: \.isControl) else {
            throw .controlCharacterInSubject(file: subject.file)
        }
        guard rendered.contains(where: { !$0.isWhitespace }) else { throw .emptySubject(file: subject.file) }
        return rendered
    }
}
