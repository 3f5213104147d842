// Which of a relay's AUTH mechanisms is used.

import FakeSMTP
import InternetMessage
import OutboxCore
import SMTPTransport
import Testing

@Suite("AUTH's mechanisms", .timeLimit(.minutes(10)))
struct AuthenticationTests {
    /// Sends one mail over TLS to a relay that offers these mechanisms.
    private func send(
        offering mechanisms: [SASLMechanism],
        failing: Set<SASLMechanism> = [],
        asking authentication: AuthenticationMechanism? = nil,
        password: String = "CANARY-p4ss",
        tls: FakeSMTPServer.TLSMode = .startTLS,
        _ check: (TransmissionResult, Ledger) throws -> Void
    ) async throws {
        var options = FakeSMTPServer.Options(tls: tls, credentials: ["outboxd": "CANARY-p4ss"])
        options.mechanisms = mechanisms
        options.failingMechanisms = failing
        options.requiresAuthentication = true
        try await FakeSMTPServer.with(options) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: tls == .none ? .none : .required).with {
                    if tls != .none { $0.configuration.caFile = file }
                    $0.credentials = SMTPCredentials(user: "outboxd", password: password)
                    $0.configuration.authentication = authentication
                }
                let result = await SMTPLane(relay: relay, number: 1).send(.sample())
                if let failure = result.failure { #expect(!String(reflecting: failure).contains("CANARY")) }
                try check(result, server.ledger)
            }
        }
    }

    @Test(
        "PLAIN and LOGIN come first over TLS, whatever else is offered",
        arguments: [
            [SASLMechanism.gssapi, .ntlm, .login], [.cramMD5, .plain], [.digestMD5, .plain, .login],
            [.ntlm, .plain], [.gssapi, .digestMD5, .cramMD5, .ntlm, .login],
        ]
    )
    func passwordFirst(mechanisms: [SASLMechanism]) async throws {
        let failing = Set(mechanisms).subtracting([.plain, .login])
        try await send(offering: mechanisms, failing: failing) { result, ledger in
            #expect(result.isAccepted, "\(result)")
            #expect(ledger.connectionCount == 1 && ledger.commands["AUTH"] == 1)
        }
    }

    @Test("where neither is offered, libcurl's other mechanisms are tried over a second connection")
    func second() async throws {
        try await send(offering: [.gssapi, .cramMD5]) { result, ledger in
            #expect(result.isAccepted, "\(result)")
            #expect(ledger.connectionCount == 2 && ledger.commands["AUTH"] == 1)
        }
    }

    @Test("after a refused password nothing else is tried")
    func refused() async throws {
        try await send(offering: [.plain, .cramMD5], password: "CANARY-wrong") { result, ledger in
            #expect(result.failure?.reply?.code == 535)
            #expect(ledger.connectionCount == 1 && ledger.commands["AUTH"] == 1)
        }
        try await send(offering: [.cramMD5, .digestMD5], failing: [.cramMD5]) { result, ledger in
            #expect(result.failure?.reply?.code == 535)
            #expect(ledger.connectionCount == 2 && ledger.commands["AUTH"] == 1)
        }
    }

    @Test("where no mechanism fits, the error names the offered ones")
    func nothingFits() async throws {
        try await send(offering: [.gssapi]) { result, ledger in
            let failure = try #require(result.failure)
            #expect(failure.cause == .authenticationRefused(nil) && failure.stage == .auth)
            #expect(failure.detail.contains("GSSAPI"), "\(failure.detail)")
            #expect(ledger.commands["MAIL"] == nil)
        }
    }

    @Test("a configured mechanism is used, and no other")
    func configured() async throws {
        try await send(offering: [.plain, .cramMD5], failing: [.plain], asking: .cramMD5) { result, ledger in
            #expect(result.isAccepted, "\(result)")
            #expect(ledger.connectionCount == 1)
        }
        try await send(offering: [.plain, .cramMD5], asking: .login) { result, ledger in
            let failure = try #require(result.failure)
            #expect(failure.cause == .authenticationRefused(nil) && failure.stage == .auth)
            #expect(failure.detail == "the relay offers PLAIN, CRAM-MD5 for AUTH, none of which can be used")
            #expect(ledger.connectionCount == 1 && ledger.commands["AUTH"] == nil)
            #expect(FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .authenticationRefused))
        }
    }

    @Test("without TLS libcurl chooses, because PLAIN and LOGIN would expose the password")
    func withoutTLS() async throws {
        try await send(offering: [.plain, .cramMD5], failing: [.plain], tls: .none) { result, ledger in
            #expect(result.isAccepted, "\(result)")
            #expect(ledger.connectionCount == 1)
        }
    }

    @Test(
        "a password and no offer of AUTH is a fault of the configuration, and nothing is mailed",
        arguments: [true, false]
    )
    func notOffered(understandsEHLO: Bool) async throws {
        var options = FakeSMTPServer.Options()
        options.understandsEHLO = understandsEHLO
        try await FakeSMTPServer.with(options) { server in
            let relay = SMTPRelay(server).with {
                $0.credentials = SMTPCredentials(user: "outboxd", password: "CANARY-p4ss")
            }
            let failure = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
            #expect(failure.cause == .authenticationNotOffered && failure.stage == .auth)
            #expect(
                FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .authenticationNotOffered)
            )
            try await server.ledger.waitForDisconnections(count: 1)
            #expect(server.ledger.commands["MAIL"] == nil && server.ledger.commands["QUIT"] == 1)
        }
    }
}
