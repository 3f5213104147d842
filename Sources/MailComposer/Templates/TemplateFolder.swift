// Reads the folder of templates: kinds, languages, partials. Reports every unknown file; renders nothing.

import Foundation
import InternetMessage
import MailTemplates

/// `<kind>/<language>/{subject.txt,body.txt,body.html}.mustache`, `<kind>/sample.json`, and the files that these
/// include: `NAME.{txt,html}.mustache` beside them, in `partials/<language>/` and in `partials/`.
///
/// Symbolic links are followed, hidden files are ignored, and any other file that is not in that list is a problem: a
/// misspelt file name must not look like a missing translation.
struct TemplateFolder {
    /// One kind as it is stored on disk.
    struct Kind {
        let name: String
        let path: String
        let templates: [LanguageTag: LocalizedTemplates]
        let sampleVariables: [String: JSONValue]
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
    private var partials: Files
    private var partialsByLanguage: [LanguageTag: Files] = [:]

    /// Not a kind.
    private static let partialsFolder = "partials"
    private static let subjectFile = "subject.txt.mustache"
    private static let textFile = "body.txt.mustache"
    private static let htmlFile = "body.html.mustache"
    private static let sampleFile = "sample.json"

    init(path: String, sender: Sender) {
        self.sender = sender
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

    private mutating func readKind(_ name: String, path: String) -> Kind {
        var templates: [LanguageTag: LocalizedTemplates] = [:]
        var languages: Set<LanguageTag> = []
        var variables: [String: JSONValue] = [:]
        for entry in entries(of: path) {
            let entryPath = "\(path)/\(entry)"
            if entry == Self.sampleFile {
                variables = readSample(entryPath)
            } else if !Self.isFolder(entryPath) {
                report(entryPath, "is not known here: a kind has a folder for each language, and sample.json")
            } else if let language = readLanguage(entry, entryPath, &languages) {
                templates[language] = compile(readFiles(entryPath), name, language)
            }
        }
        if !languages.contains(.fallback) {
            report(path, "has no folder 'en': English is what a mail falls back to, so every kind has it")
        }
        return Kind(name: name, path: path, templates: templates, sampleVariables: variables)
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

    private mutating func compile(_ files: Files, _ kind: String, _ language: LanguageTag) -> LocalizedTemplates? {
        let known = [Self.subjectFile, Self.textFile, Self.htmlFile]
        for file in known where files.sources[file] == nil {
            report("\(files.path)/\(file)", "is missing: every language has all of \(known.joined(separator: ", "))")
        }
        var folders = [files]
        for tag in sequence(first: language, next: \.shortened) {
            folders.append(partialsByLanguage[tag] ?? Files(path: "\(partials.path)/\(tag.text)"))
        }
        folders.append(partials)
        let constants = TemplateValues.constants(kind: kind, language: language, sender: sender)
        let subject = compile(Self.subjectFile, .text, folders, constants)
        let text = compile(Self.textFile, .text, folders, constants)
        let html = compile(Self.htmlFile, .html, folders, constants)
        guard let subject, let text, let html else { return nil }
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

    /// Compiles the template of this name in the first folder; included files are searched for in all folders.
    private mutating func compile(
        _ name: String,
        _ format: Template.Format,
        _ folders: [Files],
        _ constants: [JSONValue?]
    ) -> Template? {
        guard let source = folders[0].sources[name] ?? nil else { return nil }
        let isSubject = name == Self.subjectFile
        do throws(InvalidTemplate) {
            return try Template(
                source: isSubject ? source.withoutLastNewline : source,
                file: "\(folders[0].path)/\(name)",
                format: format,
                builtIn: TemplateValues.builtInNames,
                constants: TemplateValues.byName(constants)
            ) { Self.partial("\($0).\(format.rawValue).mustache", in: folders, isWithinLine: isSubject) }
        } catch {
            problems += error.problems
            return nil
        }
    }

    private static func partial(_ file: String, in folders: [Files], isWithinLine: Bool) -> Template.Partial {
        guard let folder = folders.first(where: { $0.sources[file] != nil }) else {
            return .missing(places: folders.map { "\($0.path)/\(file)" })
        }
        guard let source = folder.sources[file] ?? nil else { return .unreadable }
        return .found(file: "\(folder.path)/\(file)", source: isWithinLine ? source.withoutLastNewline : source)
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
        guard let format = Template.Format.allCases.first(where: { path.hasSuffix(".\($0.rawValue).mustache") }) else {
            report(path, "is not known here: a template is called NAME.txt.mustache or NAME.html.mustache")
            return .none
        }
        let source = readText(path)
        if let source { problems += Template.problems(inPartial: source, file: path, format: format) }
        return .some(source)
    }

    private mutating func readSample(_ path: String) -> [String: JSONValue] {
        guard let source = readText(path) else { return [:] }
        do throws(JSONReader.Fault) {
            return try JSONReader.members(of: source)
        } catch {
            switch error {
            case .notAnObject:
                report(path, "is not a JSON object: write the variables as {\"name\": \"value\"}")
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
