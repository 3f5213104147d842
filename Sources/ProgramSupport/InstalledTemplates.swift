// Finds the templates that were installed with the program. Never reads them.

import Foundation

/// The template folder that is used if the configuration names none.
enum InstalledTemplates {
    /// `share/outboxd/templates` beside the program's `bin` folder. For a program in its build folder: the source
    /// tree's `config/templates`.
    ///
    /// - Throws: `ProgramFailure` that names the places searched.
    static func folder(program: String? = Bundle.main.executablePath) throws -> String {
        let places = program.map { candidates(for: URL(filePath: $0).resolvingSymlinksInPath()) } ?? []
        var isFolder: ObjCBool = false
        for place in places
        where FileManager.default.fileExists(atPath: place.path, isDirectory: &isFolder) && isFolder.boolValue {
            return place.path
        }
        throw ProgramFailure.configuration(
            "the installed templates are missing (searched \(places.map(\.path).joined(separator: ", "))); install them, or name a folder with `templates:`"
        )
    }

    private static func candidates(for program: URL) -> [URL] {
        let prefix = program.deletingLastPathComponent().deletingLastPathComponent()
        var candidates = [prefix.appending(path: "share/outboxd/templates")]
        let components = program.pathComponents
        if let build = components.lastIndex(of: ".build") {
            let tree = components[..<build].dropFirst().joined(separator: "/")
            candidates.append(URL(filePath: "/" + tree).appending(path: "config/templates"))
        }
        return candidates
    }
}
