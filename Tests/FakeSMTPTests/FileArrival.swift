// Waits for a file from another program, by notices of the kernel.

import Foundation
import Glibc

/// The trimmed text of a file, once it exists. The file must appear complete, by a rename.
func contents(of file: URL) async throws -> String {
    let folder = file.deletingLastPathComponent()
    let notices = inotify_init1(Int32(IN_CLOEXEC))
    guard notices >= 0 else { throw CocoaError(.fileReadUnknown) }
    defer { close(notices) }
    guard inotify_add_watch(notices, folder.path, UInt32(IN_MOVED_TO) | UInt32(IN_CREATE)) >= 0 else {
        throw CocoaError(.fileReadUnknown)
    }
    // The watch starts before the check, so that the file can't appear unnoticed in between.
    while !FileManager.default.fileExists(atPath: file.path) {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            DispatchQueue.global().async {
                var buffer = [UInt8](repeating: 0, count: 4_096)
                var poller = pollfd(fd: notices, events: Int16(POLLIN), revents: 0)
                // After a minute the test fails instead of hanging.
                if poll(&poller, 1, 60_000) > 0, read(notices, &buffer, buffer.count) > 0 {
                    continuation.resume()
                } else {
                    continuation.resume(throwing: CocoaError(.fileNoSuchFile))
                }
            }
        }
    }
    return try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
}
