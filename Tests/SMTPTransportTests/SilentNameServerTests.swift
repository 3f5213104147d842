// A relay whose name servers never answer, in the lane's own network, so that no other test is affected.

import Foundation
import Glibc
import OutboxCore
import SMTPTransport
import TestSupport
import Testing

@Suite("Name servers that do not answer", .timeLimit(.minutes(10)))
struct SilentNameServerTests {
    /// Whether this process may create networks and mounts.
    private static let mayIsolate = geteuid() == 0

    @Test(
        "hold up an attempt no longer than the limit on connecting",
        .enabled(if: mayIsolate, "needs root, for a network and a mount of its own (as in: sudo swift test)")
    )
    func silentServers() async throws {
        try await withFolder { folder in
            let file = folder.appending(path: "resolv.conf")
            try "nameserver 127.0.0.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n".write(
                to: file,
                atomically: true,
                encoding: .utf8
            )
            var configuration = RelayConfiguration(
                name: "unknown",
                url: "smtp://smtp.relay-of-ours.test:2525",
                tls: .none
            )
            configuration.connectTimeout = .seconds(2)
            let lane = SMTPLane(relay: SMTPRelay(configuration), number: 1)
            // Only the lane's thread and its children are in the network without name servers.
            let sockets = try await Task(executorPreference: lane.taskExecutor) {
                try Self.isolateThread(resolverConfiguration: file.path)
            }.value
            let begin = ContinuousClock.now
            let failure = try #require(await lane.send(.sample()).failure)
            let duration = ContinuousClock.now - begin
            for socket in sockets { close(socket) }
            #expect([.timedOut, .couldNotResolve].contains(failure.cause) && failure.stage == .connect)
            // The full look-up would take 30 s: three servers, two rounds, 5 s each.
            #expect(duration > .seconds(1) && duration < .seconds(20), "\(duration) \(failure.detail)")
        }
    }

    /// Gives the calling thread a network with only loopback, where three name servers accept questions and never
    /// answer, and an /etc/resolv.conf that names them.
    private static func isolateThread(resolverConfiguration: String) throws -> [Int32] {
        let newMounts: Int32 = 0x0002_0000
        let newNetwork: Int32 = 0x4000_0000
        // Glibc's header declares it only with _GNU_SOURCE.
        typealias Unshare = @convention(c) (Int32) -> Int32
        let unshare = unsafeBitCast(try #require(dlsym(nil, "unshare")), to: Unshare.self)
        try check(unshare(newMounts | newNetwork), "unshare")
        try check(mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil), "mount / as private")
        try check(mount(resolverConfiguration, "/etc/resolv.conf", nil, UInt(MS_BIND), nil), "mount")
        // A program that this thread starts is in its network, too.
        // Foundation's Process isn't used: its first use opens sockets for all later ones.
        let arguments: [UnsafeMutablePointer<CChar>?] = ["ip", "link", "set", "lo", "up"].map { (word: String) in
            strdup(word)
        }
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        try #require(posix_spawn(&child, "/usr/sbin/ip", nil, nil, arguments + [nil], nil) == 0)
        var status: Int32 = -1
        try check(waitpid(child, &status, 0), "waitpid")
        try #require(status == 0, "ip link set lo up")
        return try ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map { address in
            let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            try check(descriptor, "socket")
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = in_port_t(53).bigEndian
            name.sin_addr.s_addr = inet_addr(address)
            let result = withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                    bind(descriptor, name, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try check(result, "bind")
            return descriptor
        }
    }

    private static func check(_ result: Int32, _ what: String) throws {
        struct SystemError: Error { let what: String, number: Int32 }
        if result < 0 { throw SystemError(what: what, number: errno) }
    }
}
