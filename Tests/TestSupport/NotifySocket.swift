// A service manager's socket for a test: receives the messages of sd_notify(3). Never answers.

import Foundation
import Glibc

/// A datagram socket that stands in for the service manager's.
package final class NotifySocket: Sendable {
    /// The value of `NOTIFY_SOCKET`.
    package let address: String
    private let descriptor: Int32

    /// Binds the socket.
    ///
    /// - Parameter address: a path, or `@` and a name in the abstract namespace.
    package init(_ address: String) throws {
        self.address = address
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var octets = Array(address.utf8)
        if octets[0] == UInt8(ascii: "@") { octets[0] = 0 }
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: octets) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + octets.count)
        let result = withUnsafePointer(to: &name) { name in
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard result == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    deinit { close(descriptor) }

    /// The next message, if one arrives within this many seconds.
    package func next(within seconds: Double = 30) async throws -> String? {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            if let message = arrived() { return message }
            guard ContinuousClock.now < deadline else { return nil }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func arrived() -> String? {
        var octets = [UInt8](repeating: 0, count: 8192)
        let count = recv(descriptor, &octets, octets.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: octets[..<count], as: UTF8.self)
    }

    /// The next message that contains a text; the messages before it are dropped.
    ///
    /// - Throws: `WaitError` if there is none within half a minute.
    @discardableResult
    package func first(containing text: String) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(30)
        var others: [String] = []
        while ContinuousClock.now < deadline {
            guard let message = try await next(within: 1) else { continue }
            if message.contains(text) { return message }
            others.append(message)
        }
        throw WaitError(description: "waited in vain for \(text); there were \(others)")
    }

    /// A wait timed out.
    package struct WaitError: Error, CustomStringConvertible {
        package let description: String
    }

    /// All messages that have arrived and were not read yet.
    package func rest() -> [String] {
        var messages: [String] = []
        while let message = arrived() { messages.append(message) }
        return messages
    }
}
