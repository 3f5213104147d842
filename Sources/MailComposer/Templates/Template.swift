// One template file, parsed and checked. Never falls back to another text, and never leaves a hole where a value lacks.

import Mustache

/// A Mustache template that tells which of its values are missing, and on which line.
struct Template: Sendable {
    /// What one rendering found missing or without a text.
    struct Fault: Hashable {
        let fault: Rendering.Fault
        let name: String
        let line: Int
    }

    /// The path of the file, for errors.
    let file: String
    /// The first part of every name that a tag uses: `expires` for `{{expires.at}}`.
    let names: Set<String>

    private let mustache: MustacheTemplate
    private let isHTML: Bool
    /// The line of the first `{{.}}`, which is the one tag that carries no line of its own.
    private let currentValueLine: Int

    /// - Throws: every tag that is refused, or else the first place where sections do not nest.
    init(source: String, file: String, isHTML: Bool) throws(TemplateLoadingError) {
        if let place = source.unicodeScalars.firstIndex(of: Skeleton.delimiter) {
            let line = source.unicodeScalars[..<place].count { $0 == "\n" } + 1
            throw TemplateLoadingError(problems: [.init(file, line: line, "has U+FFFF, which is no character")])
        }
        let bytes = Array(source.utf8)
        let tags = TemplateTag.tags(in: bytes)
        let problems = tags.compactMap { tag in
            tag.objection(inHTML: isHTML).map { TemplateLoadingError.Problem(file, line: tag.line, $0) }
        }
        guard problems.isEmpty else { throw TemplateLoadingError(problems: problems) }
        do {
            // The source as it is, for the line of an error; then what is rendered.
            _ = try MustacheTemplate(string: source)
            mustache = try MustacheTemplate(string: Self.instrumented(bytes, tags: tags))
        } catch {
            throw TemplateLoadingError(problems: [Self.problem(error, file: file)])
        }
        self.file = file
        self.isHTML = isHTML
        names = Set(
            tags.filter { $0.sigil != .comment }
                .map { tag in tag.name.split(separator: ".").first.map(String.init) ?? tag.name }
        )
        currentValueLine = tags.first { $0.name == "." && $0.sigil.isVariable }?.line ?? 1
    }

    /// - Throws: the first value that is missing or has no text.
    func render(_ values: [String: JSONValue]) throws(CompositionError) -> String {
        let (text, faults) = renderWithFaults(values)
        switch faults.first?.fault {
        case .missing?: throw .missingVariable(name: faults[0].name, file: file, line: faults[0].line)
        case .unprintable?: throw .unprintableVariable(name: faults[0].name, file: file, line: faults[0].line)
        case nil: return text
        }
    }

    /// All that is wrong with these values for this template.
    func faults(_ values: [String: JSONValue]) -> [Fault] {
        renderWithFaults(values).faults
    }

    private func renderWithFaults(_ values: [String: JSONValue]) -> (text: String, faults: [Fault]) {
        let rendering = Rendering(escapesHTML: isHTML)
        let text = mustache.render(TemplateValue(root: values, rendering: rendering))
        return (text, rendering.faults.map { Fault(fault: $0.fault, name: $0.name, line: $0.line ?? currentValueLine) })
    }

    /// The source with the line before the name of each variable tag, `{{12?name}}` (see `TemplateValue`), and with the
    /// library's escaping turned off in favour of `Rendering`'s.
    private static func instrumented(_ source: [UInt8], tags: [TemplateTag]) -> String {
        var bytes = Array("{{%CONTENT_TYPE:TEXT}}\n".utf8)
        var copied = 0
        for tag in tags where tag.sigil.isVariable && tag.name != "." {
            bytes += source[copied..<tag.nameOffset]
            bytes += String(tag.line).utf8
            bytes.append(TemplateValue.lineMark)
            copied = tag.nameOffset
        }
        bytes += source[copied...]
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func problem(_ error: any Error, file: String) -> TemplateLoadingError.Problem {
        guard let error = error as? MustacheTemplate.ParserError else {
            return .init(file, "not a Mustache template: \(error)")
        }
        let reason =
            switch error.error as? MustacheTemplate.Error {
            case .sectionCloseNameIncorrect: "this tag closes a section that is not the innermost open one"
            case .expectedSectionEnd: "a section is not closed: add its {{/name}}"
            case .unfinishedName:
                "a tag is not closed, or its name has a character other than letters, digits, '_', '-', '.'"
            case .invalidSetDelimiter, .invalidConfigVariableSyntax, .unrecognisedConfigVariable,
                .transformAppliedToInheritanceSection, .illegalTokenInsideInheritSection, .textInsideInheritSection:
                "a tag of this kind is not supported: use {{name}}, {{#name}}, {{^name}}, {{/name}} and {{! comment }}"
            case nil: "a tag is not closed: add }}"
            }
        return .init(file, line: error.context.lineNumber, reason)
    }
}
