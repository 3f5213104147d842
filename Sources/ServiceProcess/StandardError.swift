// Writes lines to standard error for all programs. Never ends the program and never waits long, whatever the reader
// does.

import Glibc
import Synchronization

/// Standard error that may be full, closed or without a reader.
///
/// Text that can't be written is lost: logging must not stop the delivery of mail. When standard error is writable
/// again, a line tells how much is missing.
package enum StandardError {
    private struct State {
        var lostLines = 0
        /// The last line was written only in part, so the next one begins with a line end.
        var isBroken = false
    }

    private static let state = Mutex(State())

    /// How long a stalled reader may delay a line, in milliseconds. While it stays stalled, further lines don't wait at
    /// all.
    private static let patience: Int32 = 200
    /// A pipe that poll(2) reports as writable accepts this many octets without blocking (PIPE_BUF).
    private static let chunk = 4096

    /// Writes a text that ends its line.
    ///
    /// - Parameter lossPrefix: the beginning of the line that reports lost text, such as a priority for the journal.
    package static func write(_ text: String, lossPrefix: String = "") {
        write(Array(text.utf8), lossPrefix: lossPrefix)
    }

    /// Writes a text in UTF-8 that ends its line, in the same way.
    package static func write(_ octets: [UInt8], lossPrefix: String = "") {
        state.withLock { state in
            if state.lostLines > 0 || state.isBroken {
                let end = state.isBroken ? "\n" : ""
                let loss = "\(end)\(lossPrefix)lines lost here because they could not be written: \(state.lostLines)\n"
                let outcome = write(Array(loss.utf8), waiting: 0)
                guard outcome == .whole else {
                    state.lostLines += 1
                    if outcome == .part { state.isBroken = true }
                    return
                }
                state = State()
            }
            switch write(octets, waiting: patience) {
            case .whole: break
            case .nothing: state.lostLines = 1
            case .part: state = State(lostLines: 1, isBroken: true)
            }
        }
    }

    private enum Outcome { case whole, part, nothing }

    private static func write(_ octets: [UInt8], waiting: Int32) -> Outcome {
        var written = 0
        while written < octets.count {
            var look = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&look, 1, waiting)
            if ready < 0, errno == EINTR { continue }
            let count = ready > 0 ? octets[written...].prefix(chunk).withUnsafeBytes(writeOnce) : -1
            if count < 0, ready > 0, errno == EINTR { continue }
            guard count > 0 else { return written == 0 ? .nothing : .part }
            written += count
        }
        return .whole
    }

    private static func writeOnce(_ octets: UnsafeRawBufferPointer) -> Int {
        Glibc.write(STDERR_FILENO, octets.baseAddress, octets.count)
    }
}
