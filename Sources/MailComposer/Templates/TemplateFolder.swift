// Reads the folder of templates: kinds, languages, files. Reports everything it does not know; renders nothing.

import Foundation

/// `<kind>/<language>/{subject.txt,body.txt,body.html}.mustache`, and `<kind>/sample.json`.
///
/// Symbolic links are followed, hidden files are passed over, and anything else that is not in that list is a problem:
/// a misspelt file name must not look like a missing translation.
struct TemplateFolder {
    /// One kind as it lies on disk.
    struct Kind {
        let name: String
        let path: String
        let templates: [LanguageTag: MailTemplates]
        let sampleVariables: [String: JSONValue]
    }

    private(set) var kinds: [Kind] = []
    private(set) var problems: [TemplateLoadingError.Problem] = []

    private static let subjectFile = "subject.txt.mustache"
    private static let textFile = "body.txt.mustache"
    private static let htmlFile = "body.html.mustache"
    private static let sampleFile = "sample.json"

    init(path: String) {
        let names = entries(of: path)
        if names.isEmpty, problems.isEmpty {
            report(path, "has no templates: add a folder for each kind of mail, such as verify-email/en")
        }
        for name in names {
            let kindPath = "\(path)/\(name)"
            guard Self.isFolder(kindPath) else {
                report(kindPath, "is not a folder: each kind of mail has a folder here, and nothing else does")
                continue
            }
            kinds.append(readKind(name, path: kindPath))
        }
    }

    private mutating func readKind(_ name: String, path: String) -> Kind {
        var templates: [LanguageTag: MailTemplates] = [:]
        var languages: Set<LanguageTag> = []
        var variables: [String: JSONValue] = [:]
        for entry in entries(of: path) {
            let entryPath = "\(path)/\(entry)"
            if entry == Self.sampleFile {
                variables = readSample(entryPath)
            } else if !Self.isFolder(entryPath) {
                report(entryPath, "is not known here: a kind has a folder for each language, and sample.json")
            } else if let language = LanguageTag(entry) {
                if !languages.insert(language).inserted {
                    report(entryPath, "is the same language as another folder beside it: keep one of them")
                }
                templates[language] = readLanguage(entryPath)
            } else {
                report(entryPath, "is not named after a language: use a tag such as en, ja or pt-BR")
            }
        }
        if !languages.contains(.fallback) {
            report(path, "has no folder 'en': English is what a mail falls back to, so every kind has it")
        }
        return Kind(name: name, path: path, templates: templates, sampleVariables: variables)
    }

    private mutating func readLanguage(_ path: String) -> MailTemplates? {
        let known = [Self.subjectFile, Self.textFile, Self.htmlFile]
        let found = entries(of: path)
        for entry in found where !known.contains(entry) {
            report("\(path)/\(entry)", "is not known here: a language has \(known.joined(separator: ", "))")
        }
        for file in known where !found.contains(file) {
            report("\(path)/\(file)", "is missing: every language has all of \(known.joined(separator: ", "))")
        }
        let subject = found.contains(Self.subjectFile) ? readTemplate("\(path)/\(Self.subjectFile)", .line) : nil
        let text = found.contains(Self.textFile) ? readTemplate("\(path)/\(Self.textFile)", .text) : nil
        let html = found.contains(Self.htmlFile) ? readTemplate("\(path)/\(Self.htmlFile)", .html) : nil
        guard let subject, let text, let html else { return nil }
        return MailTemplates(subject: subject, text: text, html: html)
    }

    private enum Content {
        /// A line of text; the newline at the end of its file is not part of it.
        case line
        case text
        case html
    }

    private mutating func readTemplate(_ path: String, _ content: Content) -> Template? {
        guard var source = readText(path) else { return nil }
        // One character, be it LF or CRLF.
        if content == .line, source.last?.isNewline == true { source.removeLast() }
        do {
            return try Template(source: source, file: path, isHTML: content == .html)
        } catch {
            problems += error.problems
            return nil
        }
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

    /// What lies in a folder, by name, without hidden files.
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
