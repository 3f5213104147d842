// Reads the folder of templates: kinds, languages, partials. Reports every unknown file; renders nothing.

import Foundation
import InternetMessage
import MailTemplates
import OutboxCore

/// Each kind has for each language a file of words, `<kind>/<language>.mustache`, from which subject, text part and HTML
/// part are compiled, or a folder with a file for each of the three,
/// `<kind>/<language>/{subject.txt,body.txt,body.html}.mustache`. Both include files of `partials/<language>/` and of
/// `partials/` (and of their own folder): `NAME.mustache` with words for every part, and `NAME.txt.mustache`,
/// `NAME.html.mustache` and `NAME.subject.mustache` for one of them.
///
/// Symbolic links are followed, hidden files are ignored, and any other file that is not in that list is a problem: a
/// misspelt file name must not look like a missing translation.
struct TemplateFolder {
    /// One kind as it is stored on disk.
    struct Kind {
        let name: String
        let path: String
        let templates: [LanguageTag: LocalizedTemplates]
        let rules: VariableRules
    }

    /// The template files of one folder.
    private struct Files {
        let path: String
        /// By file name; `nil` for a file that can't be read.
        var sources: [String: String?] = [:]
    }

    private(set) var kinds: [Kind] = []
    private(set) var problems: [TemplateProblem] = []
    private let sender: Sender
    private let options: MailOptions
    private var partials: Files
    /// The variables of the kind being read that hold links.
    private var links: Set<String> = []
    private var partialsByLanguage: [LanguageTag: Files] = [:]

    /// Not a kind.
    private static let partialsFolder = "partials"
    private static let subjectFile = "subject.txt.mustache"
    private static let textFile = "body.txt.mustache"
    private static let htmlFile = "body.html.mustache"
    private static let sampleFile = "sample.json"
    private static let wordsSuffix = ".mustache"

    /// The parts of a mail, each with a template.
    private enum Part: String, CaseIterable {
        case subject, text, html

        var format: Template.Format {
            switch self {
            case .subject, .text: .text
            case .html: .html
            }
        }

        /// The endings of the files that a template of this part includes; the first that exists is used.
        var suffixes: [String] {
            switch self {
            case .subject: [".subject.mustache", ".txt.mustache", wordsSuffix]
            case .text: [".txt.mustache", wordsSuffix]
            case .html: [".html.mustache", wordsSuffix]
            }
        }
    }

    /// Where a template's text comes from.
    private struct Source {
        let file: String
        let text: String?
        let isWords: Bool
    }

    init(path: String, sender: Sender, options: MailOptions) {
        self.sender = sender
        self.options = options
        partials = Files(path: "\(path)/\(Self.partialsFolder)")
        let names = entries(of: path)
        if names.contains(Self.partialsFolder) { readPartials() }
        if names.allSatisfy({ $0 == Self.partialsFolder }), problems.isEmpty {
            report(path, "has no templates: add a folder for each kind of mail, such as verify-email/en")
        }
        for name in names where name != Self.partialsFolder {
            let kindPath = "\(path)/\(name)"
            guard Self.isFolder(kindPath) else {
                report(kindPath, "is not a folder: each kind of mail has a folder here, and nothing else does")
                continue
            }
            kinds.append(readKind(name, path: kindPath))
        }
    }

    private mutating func readPartials() {
        var languages: Set<LanguageTag> = []
        for entry in entries(of: partials.path) {
            let entryPath = "\(partials.path)/\(entry)"
            if !Self.isFolder(entryPath) {
                partials.sources[entry] = readFile(entryPath)
            } else if let language = readLanguage(entry, entryPath, &languages) {
                partialsByLanguage[language] = readFiles(entryPath)
            }
        }
    }

    private mutating func readKind(_ kindName: String, path: String) -> Kind {
        var templates: [LanguageTag: LocalizedTemplates] = [:]
        var languages: Set<LanguageTag> = []
        let found = entries(of: path)
        let rules = VariableRules(found.contains(Self.sampleFile) ? readSample("\(path)/\(Self.sampleFile)") : [:])
        links = rules.links
        for entry in found where entry != Self.sampleFile {
            let entryPath = "\(path)/\(entry)"
            if !Self.isFolder(entryPath) {
                guard entry.hasSuffix(Self.wordsSuffix), !entry.dropLast(Self.wordsSuffix.count).contains(".") else {
                    report(
                        entryPath,
                        "is not known here: a kind has a file such as en.mustache for each language, and sample.json"
                    )
                    continue
                }
                let name = String(entry.dropLast(Self.wordsSuffix.count))
                guard let language = readLanguage(name, entryPath, &languages), case let source?? = readFile(entryPath)
                else { continue }
                templates[language] = compile(words: source, file: entryPath, kindPath: path, kind: kindName, language)
            } else if let language = readLanguage(entry, entryPath, &languages) {
                templates[language] = compile(readFiles(entryPath), kindName, language)
            }
        }
        if !languages.contains(.fallback) {
            report(
                path,
                "has no en.mustache and no folder 'en': English is what a mail falls back to, so every kind has it"
            )
        }
        return Kind(name: kindName, path: path, templates: templates, rules: rules)
    }

    private mutating func readLanguage(
        _ name: String,
        _ path: String,
        _ languages: inout Set<LanguageTag>
    ) -> LanguageTag? {
        guard let language = LanguageTag(name) else {
            report(path, "is not named after a language: use a tag such as en, ja or pt-BR")
            return nil
        }
        if !languages.insert(language).inserted {
            report(path, "is the same language as another folder beside it: keep one of them")
        }
        return language
    }

    /// Compiles the three files of a language's folder.
    private mutating func compile(_ files: Files, _ kind: String, _ language: LanguageTag) -> LocalizedTemplates? {
        let known = [Self.subjectFile, Self.textFile, Self.htmlFile]
        for file in known where files.sources[file] == nil {
            report("\(files.path)/\(file)", "is missing: every language has all of \(known.joined(separator: ", "))")
        }
        func source(_ name: String) -> Source {
            Source(file: "\(files.path)/\(name)", text: files.sources[name] ?? nil, isWords: false)
        }
        return compile(
            [.subject: source(Self.subjectFile), .text: source(Self.textFile), .html: source(Self.htmlFile)],
            beside: files,
            kind,
            language
        )
    }

    /// Compiles a file of words, once for each part.
    private mutating func compile(
        words: String,
        file: String,
        kindPath: String,
        kind: String,
        _ language: LanguageTag
    ) -> LocalizedTemplates? {
        let source = Source(file: file, text: words, isWords: true)
        return compile(
            [.subject: source, .text: source, .html: source],
            beside: Files(path: kindPath),
            kind,
            language
        )
    }

    private mutating func compile(
        _ sources: [Part: Source],
        beside files: Files,
        _ kind: String,
        _ language: LanguageTag
    ) -> LocalizedTemplates? {
        var folders = [files]
        for tag in sequence(first: language, next: \.shortened) {
            folders.append(partialsByLanguage[tag] ?? Files(path: "\(partials.path)/\(tag.canonical)"))
        }
        folders.append(partials)
        let constants = TemplateValues.constants(kind: kind, language: language, sender: sender, options: options)
        var templates: [Part: Template] = [:]
        for part in Part.allCases {
            templates[part] = sources[part].flatMap { compile($0, part, folders, constants) }
        }
        guard let subject = templates[.subject], let text = templates[.text], let html = templates[.html] else {
            return nil
        }
        // Words for a block that no part has.
        let unknown = subject.unknownBlocks.filter {
            text.unknownBlocks.contains($0) && html.unknownBlocks.contains($0)
        }
        problems += unknown
        let isOneLine = subject.literals.allSatisfy { literal in
            !String(decoding: literal, as: UTF8.self).unicodeScalars.contains(where: \.isControl)
        }
        if !isOneLine { report(subject.file, "the subject is not one line of text") }
        return LocalizedTemplates(
            language: language,
            subject: subject,
            text: BodyTemplate(text),
            html: BodyTemplate(html),
            constants: constants
        )
    }

    /// Compiles a template; included files are searched for in all folders.
    private mutating func compile(
        _ source: Source,
        _ part: Part,
        _ folders: [Files],
        _ constants: [JSONValue?]
    ) -> Template? {
        guard let text = source.text else { return nil }
        do throws(InvalidTemplate) {
            return try Template(
                source: part == .subject ? text.withoutLastNewline : text,
                file: source.file,
                format: part.format,
                isWords: source.isWords,
                builtIn: TemplateValues.builtInNames,
                constants: TemplateValues.byName(constants),
                links: links
            ) { Self.partial($0, of: part, in: folders) }
        } catch {
            problems += error.problems
            return nil
        }
    }

    private static func partial(_ name: String, of part: Part, in folders: [Files]) -> Template.Partial {
        for folder in folders {
            for suffix in part.suffixes {
                guard let found = folder.sources[name + suffix] else { continue }
                guard let source = found else { return .unreadable }
                return .found(
                    file: "\(folder.path)/\(name)\(suffix)",
                    source: part == .subject ? source.withoutLastNewline : source,
                    isWords: suffix == wordsSuffix
                )
            }
        }
        return .missing(places: folders.map { "\($0.path)/\(name)\(part.suffixes[0])" })
    }

    private mutating func readFiles(_ path: String) -> Files {
        var files = Files(path: path)
        for entry in entries(of: path) { files.sources[entry] = readFile("\(path)/\(entry)") }
        return files
    }

    /// The source of a template or of a partial, even if no template includes the partial.
    ///
    /// - Returns: `nil` for a file that is not a template; an inner `nil` for a template that can't be read.
    private mutating func readFile(_ path: String) -> String?? {
        let name = path.split(separator: "/").last ?? ""
        let endings = name.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
        guard let format = Self.formats[endings.joined(separator: ".")] else {
            report(
                path,
                "is not known here: a template is called NAME.txt.mustache or NAME.html.mustache, a file of words NAME.mustache"
            )
            return .none
        }
        let source = readText(path)
        if let source {
            let isWords = endings.count == 1
            problems += Template.problems(inPartial: source, file: path, format: format, isWords: isWords)
        }
        return .some(source)
    }

    /// By the endings of a file's name. Words are checked as HTML, which allows the least.
    private static let formats: [String: Template.Format] = [
        "mustache": .html, "txt.mustache": .text, "subject.mustache": .text, "html.mustache": .html,
    ]

    private mutating func readSample(_ path: String) -> [String: VariableRule] {
        guard let source = readText(path) else { return [:] }
        do throws(JSONReader.Fault) {
            let (rules, problems) = VariableRule.rules(of: try JSONReader.members(of: source))
            for problem in problems { report(path, problem) }
            return rules
        } catch {
            switch error {
            case .notAnObject:
                report(path, "is not a JSON object: write {\"variables\": {\"name\": {\"sample\": \"Jane\"}}}")
            case .tooDeep:
                report(path, "is nested more than \(JSONReader.depthLimit) levels deep: give the templates flat values")
            case .tooLarge:
                report(path, "has more than \(JSONReader.sizeLimit) octets: give only what the templates show")
            }
        }
        return [:]
    }

    private mutating func readText(_ path: String) -> String? {
        do {
            let data = try Data(contentsOf: URL(filePath: path))
            if let text = String(validating: data, as: UTF8.self) { return text }
            report(path, "is not UTF-8: save it in that encoding")
        } catch {
            report(path, "can't be read: \(error.localizedDescription)")
        }
        return nil
    }

    /// The entries of a folder, by name, without hidden files.
    private mutating func entries(of path: String) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }.sorted()
        } catch {
            report(path, "can't be read: \(error.localizedDescription)")
            return []
        }
    }

    private mutating func report(_ place: String, _ reason: String) {
        problems.append(.init(place, reason))
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }
}

extension String {
    /// The newline at the end of a file is not part of a subject's line. It is one character, whether LF or CRLF.
    fileprivate var withoutLastNewline: String { last?.isNewline == true ? String(dropLast()) : self }
}
