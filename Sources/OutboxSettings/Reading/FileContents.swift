// Reads a whole small file, up to a limit, together with its mode.
// Never interprets the file, never writes.

import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// The bytes of a file and its permissions, read through the same descriptor.
struct FileContents {
    /// Why a file could not be read.
    enum Failure: Error, Equatable {
        case missing
        case denied
        /// A folder, or a device where a regular file is required.
        case notAFile
        /// The file has more bytes than this limit.
        case tooLarge(Int)
        /// Any other error, in the system's words.
        case system(String)
    }

    var bytes: [UInt8]
    /// The mode with the file's type, as in `stat`.
    var mode: mode_t

    /// Reads a file of at most `limit` bytes.
    ///
    /// - Parameter regularOnly: refuses pipes and devices, without waiting for them.
    static func read(_ path: String, limit: Int, regularOnly: Bool = false) throws(Failure) -> FileContents {
        // Without O_NONBLOCK, opening a pipe without a writer would not return.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | (regularOnly ? O_NONBLOCK : 0))
        guard descriptor >= 0 else { throw failure(errno) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(errno) }
        let type = status.st_mode & S_IFMT
        guard type != S_IFDIR, type == S_IFREG || !regularOnly else { throw .notAFile }
        let data: Data
        do {
            data = try file.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw .system(error.localizedDescription)
        }
        guard data.count <= limit else { throw .tooLarge(limit) }
        return FileContents(bytes: [UInt8](data), mode: status.st_mode)
    }

    private static func failure(_ code: Int32) -> Failure {
        switch code {
        case ENOENT, ENOTDIR: .missing
        case EACCES, EPERM: .denied
        default: .system(String(cString: strerror(code)))
        }
    }
}
