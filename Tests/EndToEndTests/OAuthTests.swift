// Logins with access tokens, as an operator sees them: configuration, check, relays, and no secret anywhere.

import FakeTokenServer
import Foundation
import TestSupport
import Testing

@Suite("OAuth", .timeLimit(.minutes(10)))
struct OAuthTests {
    private func relayKeys(_ server: FakeTokenServer) -> String {
        ", user: no-reply@example.com, oauth: {token_url: \"\(server.url)\", client_id: client-1, "
            + "client_secret: {file: client-secret}, refresh_token: {file: refresh-token}, "
            + "scope: \"https://mail.google.com/\"}"
    }

    @Test("a mail goes out with an access token, after a refusal that was mended, and no secret is shown anywhere")
    func wholeWay() async throws {
        let words = "AADSTS7000215: Invalid client secret CANARY-secret-old"
        try await FakeTokenServer.with(.error(401, "invalid_client", words)) { server in
            try await withInstallation { installation in
                try installation.write("CANARY-access-token", to: "access-token")
                try installation.write("CANARY-secret-old", to: "client-secret")
                try installation.write("CANARY-refresh-token\n", to: "refresh-token")
                let relay = try installation.startRelay(
                    "--user",
                    "no-reply@example.com",
                    "--password-file",
                    "access-token",
                    "--require-auth",
                    "--auth-mechanism",
                    "LOGIN",
                    "--auth-mechanism",
                    "XOAUTH2",
                    "--auth-fails",
                    "LOGIN",
                    "--log"
                )
                let port = try #require(Int(try await installation.contents(of: "port")))
                try installation.configure(port: port, relay: relayKeys(server), further: "log: {level: trace}")
                let check = try await installation.start("outboxd", ["--check"]).result()
                #expect(check.exitCode == 0, "\(check.errors)")
                #expect(server.requests.isEmpty)

                #expect(try await installation.outboxctl("migrate").exitCode == 0)
                let daemon = try installation.start("outboxd")
                let enqueued = try await installation.outboxctl(
                    "enqueue",
                    "verify-email",
                    "ann@example.com",
                    input: "s3cret"
                )
                #expect(enqueued.exitCode == 0, "\(enqueued.errors)")
                try await installation.waitUntil("SELECT count(*) FROM outbox_relay WHERE reason = 'token-refused'")
                let relays = try await installation.outboxctl("relays")
                #expect(relays.output.contains("token-refused (auth), fault of the configuration"))
                #expect(relays.output.contains("401: invalid_client: AADSTS7000215: Invalid client secret [secret]"))
                #expect(relays.output.contains("refresh-token): oauth; then reload outboxd"), "\(relays.output)")

                try installation.write("CANARY-secret-new", to: "client-secret")
                daemon.hangUp()
                // Until the reload, a token would be granted for the old secret.
                let newRequest = [
                    "grant_type": "refresh_token", "refresh_token": "CANARY-refresh-token", "client_id": "client-1",
                    "client_secret": "CANARY-secret-new", "scope": "https://mail.google.com/",
                ]
                while !server.requests.contains(newRequest) { try await Task.sleep(for: .milliseconds(10)) }
                server.answer(.token("CANARY-access-token"))
                let messages = try await installation.waitUntilNoneIsOpen()
                #expect(messages.output == "1 accepted 1\n", "\(messages.errors)")
                daemon.terminate()
                let ended = try await daemon.result()
                relay.terminate()
                let served = try await relay.result()
                #expect(served.errors.contains("AUTH XOAUTH2 [redacted]"), "\(served.errors)")
                let database = try Data(contentsOf: URL(filePath: installation.database))
                for text in [ended.output, ended.errors, relays.output, served.errors] {
                    #expect(!text.contains("CANARY"), "\(text)")
                }
                #expect(database.range(of: Data("CANARY".utf8)) == nil)
            }
        }
    }

    @Test("--check finds missing secrets and a damaged ca_file without asking the token server")
    func check() async throws {
        try await FakeTokenServer.with(.token("t")) { server in
            try await withInstallation { installation in
                try installation.write("not a certificate", to: "ca.pem")
                let keys = relayKeys(server).replacing("scope:", with: "ca_file: ca.pem, scope:")
                try installation.configure(relay: keys)
                let result = try await installation.start("outboxd", ["--check"]).result()
                #expect(result.exitCode == 78)
                for part in [
                    "3 problems", "the client secret cannot be read from", "the refresh token cannot be read from",
                    "oauth: ca_file: ",
                ] {
                    #expect(result.errors.contains(part), "\(result.errors)")
                }
                #expect(server.requests.isEmpty)
                let start = try await installation.start("outboxd").result()
                #expect(start.exitCode == 78 && start.errors.contains("client secret"), "\(start.errors)")
            }
        }
    }
}
