// A relay's own limit of mails on one connection, as `outboxctl relays` shows it.

import Foundation
import TestSupport
import Testing

@Suite("A relay's limit of mails", .timeLimit(.minutes(10)))
struct RelayLimitTests {
    @Test(
        "is shown as the relay offers it, or as it was learnt from refusals",
        arguments: [["--mail-max", "2"], ["--messages-per-connection", "2"], []]
    )
    func shown(arguments: [String]) async throws {
        try await withInstallation { installation in
            let relay = try installation.start("fake-smtp", ["--port", "0", "--port-file", "port"] + arguments)
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, relay: ", connections: 1")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            // Two refusals of a third mail.
            for number in 1...7 {
                let sent = try await installation.outboxctl(
                    "enqueue",
                    "verify-email",
                    "u\(number)@example.com",
                    input: "s3cret"
                )
                #expect(sent.exitCode == 0, "\(sent.errors)")
            }
            let daemon = try installation.start("outboxd")
            let states = try await installation.waitUntilNoneIsOpen()
            #expect(states.output == (1...7).map { "\($0) accepted 1\n" }.joined(), "\(states.errors)")
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            let shown = try await installation.outboxctl("relays").output
            let line = "\n   limit       2 mails for each connection\n"
            #expect(shown.contains(line) == !arguments.isEmpty, "\(shown)")
            let json = try await installation.outboxctl("relays", "--json").output
            #expect(json.contains("\"mails_per_connection\":\(arguments.isEmpty ? "null" : "2")"), "\(json)")
            relay.terminate()
            _ = try await relay.result()
        }
    }
}
