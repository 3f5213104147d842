// Reads a report from a pipe in bounded memory. Never keeps more than the size limit of a report.

package import Foundation

extension ReturnedMail {
    /// Reads a mail to its end.
    ///
    /// A mail that is too large is also read to its end, and then discarded: a mail system takes a pipe that is closed
    /// early for a failure of its own.
    /// - Returns: at most ``sizeLimit`` octets.
    /// - Throws: `ReportError.tooLarge`, and the system's errors of reading the pipe.
    package static func read(from file: FileHandle) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var isTooLarge = false
        while let chunk = try file.read(upToCount: 1 << 16), !chunk.isEmpty {
            if bytes.count + chunk.count > sizeLimit { isTooLarge = true }
            if isTooLarge { bytes = [] } else { bytes += chunk }
        }
        if isTooLarge { throw ReportError.tooLarge(limit: sizeLimit) }
        return bytes
    }
}
