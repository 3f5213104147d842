// Collects the problems of one file while it is read, so that all are reported together.
// Never stops the reading.

/// The problems that one reading of a file has found so far.
final class ProblemLog {
    /// The absolute folder for relative paths in the file.
    let folder: String
    /// The path of every key that the reader has asked for, whether the file has it or not.
    private(set) var keys: Set<String> = []
    private var problems: [SettingsProblem] = []

    init(folder: String) {
        self.folder = folder
    }

    func add(_ message: String, path: String, at position: FilePosition?) {
        problems.append(SettingsProblem(path: path, line: position?.line, column: position?.column, message: message))
    }

    func addKey(_ path: String) {
        keys.insert(path)
    }

    /// The problems by line and column; problems without a place come first. At the same place, the order of discovery
    /// is kept.
    var inFileOrder: [SettingsProblem] {
        problems.enumerated().sorted { left, right in
            (left.element.line ?? 0, left.element.column ?? 0, left.offset)
                < (right.element.line ?? 0, right.element.column ?? 0, right.offset)
        }.map(\.element)
    }
}
