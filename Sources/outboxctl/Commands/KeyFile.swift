// Writes a file with a key. Never replaces a file, and leaves no half-written one.

import Foundation
import ProgramSupport

/// A file with one key as base64, which only its creator can read.
enum KeyFile {
    /// - Throws: `ProgramFailure` where the file exists or can't be written.
    static func create(_ path: String, holding text: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw ProgramFailure.cannotCreate("\(path): \(String(cString: strerror(errno)))")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        do {
            try file.write(contentsOf: Data("\(text)\n".utf8))
            try file.synchronize()
            try file.close()
        } catch {
            unlink(path)
            throw ProgramFailure.cannotCreate("\(path): \(error)")
        }
    }
}
