// Finds and loads the configuration file.
// Never searches more than one place, and never changes the file.

import Foundation

/// The location of the configuration file, and the functions that read it.
package enum SettingsFile {
    /// The default path.
    package static let defaultPath = "/etc/outboxd/outboxd.yaml"
    /// The environment variable that names another file.
    package static let environmentVariable = "OUTBOXD_CONFIG"
    /// The maximum size of the file, in bytes.
    package static let sizeLimit = 1 << 20

    /// Returns the path of the file: the option `--config`, else the variable `OUTBOXD_CONFIG` unless it is empty, else
    /// `/etc/outboxd/outboxd.yaml`. Does not check whether the file exists.
    package static func locate(option: String?, environment: [String: String]) -> String {
        if let option { return option }
        if let path = environment[environmentVariable], !path.isEmpty { return path }
        return defaultPath
    }

    /// Reads a configuration file. Relative paths in it are relative to its folder.
    ///
    /// - Parameter path: the path of the file; a relative path starts at the current folder.
    /// - Throws: `SettingsError` with every problem, in file order.
    package static func load(_ path: String) throws(SettingsError) -> Settings {
        let contents: FileContents
        do {
            contents = try FileContents.read(path, limit: sizeLimit)
        } catch {
            throw SettingsError(file: path, problem: unreadable(error))
        }
        guard let text = String(validating: contents.bytes, as: UTF8.self) else {
            throw SettingsError(file: path, problem: "the file is not UTF-8 text; save it in UTF-8")
        }
        return try read(text, file: path)
    }

    /// Reads the text of a configuration file.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: the path for the error; relative paths in the text start at its folder.
    /// - Throws: `SettingsError` with every problem, in file order.
    package static func read(_ text: String, file: String) throws(SettingsError) -> Settings {
        try read(text, file: file, log: ProblemLog(folder: folder(of: file)))
    }

    /// Like `read`, with a log from which the caller can later get the known keys.
    static func read(_ text: String, file: String, log: ProblemLog) throws(SettingsError) -> Settings {
        let settings = YAMLDocument.root(of: text, log: log).flatMap { root in
            SettingReader.settings.read(SettingCursor(node: root, path: "", log: log))
        }
        let problems = log.inFileOrder
        guard problems.isEmpty else { throw SettingsError(file: file, problems: problems) }
        guard let settings else { preconditionFailure("a setting was refused without a reported problem") }
        return settings
    }

    /// The absolute path of a file's folder.
    private static func folder(of file: String) -> String {
        let slash = file.lastIndex(of: "/")
        let folder = slash.map { String(file[..<$0]) } ?? ""
        if file.hasPrefix("/") { return folder }
        let current = FileManager.default.currentDirectoryPath
        return folder.isEmpty ? current : "\(current)/\(folder)"
    }

    private static func unreadable(_ error: FileContents.Failure) -> String {
        let other = "or name another file with --config FILE or the variable \(environmentVariable)"
        return switch error {
        case .missing: "there is no such file; create it, \(other)"
        case .denied: "permission to read the file is denied; let the user that runs outboxd read it, \(other)"
        case .notAFile: "this is not a file; \(other.dropFirst(3))"
        case .tooLarge(let limit):
            "the file is larger than \(limit) bytes, so it cannot be a configuration; \(other.dropFirst(3))"
        case .system(let reason): "the file cannot be read: \(reason)"
        }
    }
}

extension SettingsError {
    /// One problem that concerns the whole file.
    fileprivate init(file: String, problem message: String) {
        self.init(file: file, problems: [SettingsProblem(path: "", line: nil, column: nil, message: message)])
    }
}
