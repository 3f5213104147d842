// Writes the small files that other programs wait for. Never leaves a partial file.

import Foundation

enum OutputFile {
    /// Writes a file atomically: readers see either all of it or nothing.
    static func write(_ text: String, to path: String, option: String) throws {
        do {
            try Data(text.utf8).write(to: URL(filePath: path), options: .atomic)
        } catch {
            throw ProgramError("cannot write \(option) \(path): \(error.localizedDescription)")
        }
    }
}

/// An error that ends the program with one line.
struct ProgramError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
