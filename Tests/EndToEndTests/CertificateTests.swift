// A relay's TLS and certificate, as `outboxctl relays` and the log show them.

import Foundation
import TestSupport
import Testing

@Suite("A relay's certificate", .timeLimit(.minutes(10)))
struct CertificateTests {
    @Test("is shown after the first connection and after a restart, with a warning before its end")
    func shown() async throws {
        for endsSoon in [false, true] {
            try await withInstallation { installation in
                let kind = endsSoon ? "ends-soon" : "valid"
                let relay = try installation.startRelay(
                    "--tls",
                    "starttls",
                    "--certificate-file",
                    "ca.pem",
                    "--certificate",
                    kind
                )
                let port = try #require(Int(try await installation.contents(of: "port")))
                try installation.configure(port: port, relay: ", ca_file: ca.pem")
                let file = installation.folder.appending(path: "outboxd.yaml")
                let text = try String(contentsOf: file, encoding: .utf8).replacing("tls: none", with: "tls: required")
                try text.write(to: file, atomically: true, encoding: .utf8)
                #expect(try await installation.outboxctl("migrate").exitCode == 0)
                let sent = try await installation.outboxctl("enqueue", "verify-email", "a@example.com", input: "s3cret")
                #expect(sent.exitCode == 0, "\(sent.errors)")

                let daemon = try installation.start("outboxd")
                #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n")
                try await installation.waitUntil("SELECT count(*) FROM outbox_relay WHERE tls_version IS NOT NULL")
                daemon.terminate()
                let log = try await daemon.result().errors
                let again = try installation.start("outboxd")
                // The daemon has replaced the relays' rows when it says that it has started.
                while !(try again.errorsSoFar().contains("delivery started")) {
                    try await Task.sleep(for: .milliseconds(20))
                }
                let shown = try await installation.outboxctl("relays").output
                again.terminate()
                _ = try await again.result()
                relay.terminate()
                _ = try await relay.result()

                #expect(shown.contains(#/\n   TLS         TLSv1\.\d, [A-Z0-9_-]+\n/#), "\(shown)")
                #expect(
                    shown.contains(#/\n   certificate localhost, valid until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\n/#),
                    "\(shown)"
                )
                let warning = "   warning     the certificate ends in 8 days; no mail goes to this relay after that\n"
                #expect(shown.contains(warning) == endsSoon, "\(shown)")
                let warnings = log.split(separator: "\n").filter { $0.contains("the relay's certificate ends soon") }
                #expect(warnings.count == (endsSoon ? 1 : 0), "\(log)")
                if let line = warnings.first {
                    #expect(line.contains("certificate.name=localhost") && line.contains("certificate.expires.at=20"))
                }
            }
        }
    }
}
