// The memory of outboxd while a relay sends far more than any reply has.

import Foundation
import TestSupport
import Testing

@Suite("A relay that sends 100 MB", .timeLimit(.minutes(10)))
struct FloodTests {
    private static var server: URL {
        get throws {
            try #require(Bundle.module.url(forResource: "flood", withExtension: "py", subdirectory: "Resources"))
        }
    }

    @Test(
        "takes a bounded part of outboxd's memory, and its mail is accepted by the next connection",
        arguments: ["greeting", "ehlo", "mail", "dot", "idle"],
        ["line", "lines"]
    )
    func memory(stage: String, shape: String) async throws {
        try await withInstallation { installation in
            let server = try Program(
                URL(filePath: "/usr/bin/python3"),
                [try Self.server.path, "port", stage, shape, "flooded"],
                in: installation.folder
            )
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, relay: ", connections: 1", further: "retry: {delays: [100ms]}")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            while !(try daemon.errorsSoFar().contains("delivery started")) {
                try await Task.sleep(for: .milliseconds(20))
            }
            let before = try daemon.peakMemory()
            // Of two mails the second one meets what came while the connection was idle.
            for name in ["a", "b"] {
                let sent = try await installation.outboxctl(
                    "enqueue",
                    "verify-email",
                    "\(name)@example.com",
                    input: "s3cret"
                )
                #expect(sent.exitCode == 0, "\(sent.errors)")
                let states = try await installation.waitUntilNoneIsOpen()
                #expect(states.output.split(separator: "\n").allSatisfy { $0.contains("accepted") }, "\(states)")
            }
            let flooded = try #require(Int(try await installation.contents(of: "flooded")))
            let growth = try daemon.peakMemory() - before
            #expect(flooded > 100_000, "\(flooded) octets came")
            #expect(growth < 32_000_000, "\(growth) octets more, of \(flooded)")
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            server.kill()
            _ = try await server.result()
        }
    }
}
