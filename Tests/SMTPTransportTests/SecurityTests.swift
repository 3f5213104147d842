// TLS and AUTH: requirements are enforced, and secrets stay secret.

import FakeSMTP
import Foundation
import InternetMessage
import OutboxCore
import SMTPTransport
import Synchronization
import Testing

@Suite("TLS and AUTH", .timeLimit(.minutes(10)))
struct SecurityTests {
    private let credentials = SMTPCredentials(user: "outboxd", password: "CANARY-p4ss")

    @Test("STARTTLS with a trusted certificate carries the mail over TLS")
    func startTLS() async throws {
        try await FakeSMTPServer.with(.init(tls: .startTLS)) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: .required).with { $0.configuration.caFile = file }
                #expect(await SMTPLane(relay: relay, number: 1).send(.sample()).isAccepted)
                #expect(server.ledger.accepted.first?.isSecure == true)
            }
        }
    }

    @Test("TLS from the first byte carries the mail over TLS")
    func implicitTLS() async throws {
        try await FakeSMTPServer.with(.init(tls: .implicit)) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: .required, scheme: "smtps").with { $0.configuration.caFile = file }
                #expect(await SMTPLane(relay: relay, number: 1).send(.sample()).isAccepted)
                #expect(server.ledger.accepted.first?.isSecure == true)
            }
        }
    }

    @Test("protocol, cipher and certificate of each new connection are told, and none without TLS")
    func session() async throws {
        for mode in [FakeSMTPServer.TLSMode.startTLS, .implicit, .none] {
            try await FakeSMTPServer.with(.init(tls: mode)) { server in
                try await withCAFile(of: server) { file in
                    let scheme = mode == .implicit ? "smtps" : "smtp"
                    let relay = SMTPRelay(server, tls: mode == .none ? .none : .required, scheme: scheme).with {
                        if mode != .none { $0.configuration.caFile = file }
                    }
                    let lane = SMTPLane(relay: relay, number: 1)
                    let told = Mutex<[TLSSession?]>([])
                    for _ in 1...2 {
                        let sample = OutgoingMail.sample()
                        let mail = OutgoingMail(
                            envelopeSender: sample.envelopeSender,
                            recipient: sample.recipient,
                            content: sample.content,
                            didSecure: { tls in told.withLock { $0.append(tls) } }
                        )
                        #expect(await lane.send(mail).isAccepted)
                    }
                    let sessions = told.withLock(\.self)
                    #expect(sessions.count == 1)
                    guard mode != .none else {
                        #expect(sessions == [nil])
                        return
                    }
                    let tls = try #require(sessions.first ?? nil)
                    #expect(tls.version.hasPrefix("TLSv1.") && !tls.cipher.isEmpty, "\(tls)")
                    #expect(tls.certificateName == "localhost")
                    let end = try #require(tls.certificateExpiresAt)
                    let days = Double(end.milliseconds) / 86_400_000 - Date().timeIntervalSince1970 / 86_400
                    #expect((364.9...365.1).contains(days))
                }
            }
        }
    }

    @Test("an untrusted certificate is refused, and nothing is sent", arguments: ["smtp", "smtps"])
    func untrusted(scheme: String) async throws {
        try await FakeSMTPServer.with(.init(tls: scheme == "smtp" ? .startTLS : .implicit)) { server in
            let relay = SMTPRelay(server, tls: .required, scheme: scheme)
            let failure = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
            #expect(failure.cause == .certificate && failure.stage == .tls)
            #expect(server.ledger.commands["MAIL"] == nil)
        }
    }

    @Test(
        "a certificate that has expired, or is another host's, is refused",
        arguments: [LocalCertificate.Kind.expired, .otherHost]
    )
    func badCertificate(kind: LocalCertificate.Kind) async throws {
        var options = FakeSMTPServer.Options(tls: .startTLS)
        options.certificate = kind
        try await FakeSMTPServer.with(options) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: .required).with { $0.configuration.caFile = file }
                let failure = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
                #expect(failure.cause == .certificate)
                #expect(server.ledger.commands["MAIL"] == nil)
            }
        }
    }

    @Test("opportunistic TLS refuses a bad certificate as well")
    func opportunisticVerifies() async throws {
        try await FakeSMTPServer.with(.init(tls: .startTLS)) { server in
            let relay = SMTPRelay(server, tls: .opportunistic)
            let failure = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
            #expect(failure.cause == .certificate)
        }
    }

    @Test("where TLS is required, a relay without STARTTLS gets no mail; where it isn't, it does")
    func notOffered() async throws {
        try await FakeSMTPServer.with { server in
            let required = SMTPLane(relay: SMTPRelay(server, tls: .required), number: 1)
            let failure = try #require(await required.send(.sample()).failure)
            #expect(failure.cause == .startTLSNotOffered)
            #expect(server.ledger.commands["MAIL"] == nil)
            let opportunistic = SMTPLane(relay: SMTPRelay(server, tls: .opportunistic), number: 2)
            #expect(await opportunistic.send(.sample()).isAccepted)
        }
    }

    @Test(
        "a fault at STARTTLS is reported at its stage",
        arguments: [
            ("startTLS: reply 454 4.7.0 \"not now\"", SMTPStage.startTLS), ("startTLS: drop", .startTLS),
            ("startTLS: hang", .startTLS), ("startTLS: garbled", .startTLS), ("startTLS: break-tls", .tls),
        ]
    )
    func startTLSFaults(fault: String, stage: SMTPStage) async throws {
        try await FakeSMTPServer.with(.init(tls: .startTLS), faults: [Fault(parsing: fault)]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server, tls: .required), number: 1)
            let failure = try #require(await lane.send(.sample()).failure)
            #expect(failure.stage == stage)
            #expect(FailurePolicy.verdict(for: failure).disposition == .again)
            #expect(server.ledger.commands["MAIL"] == nil)
        }
    }

    @Test("the right password authenticates")
    func authentication() async throws {
        try await FakeSMTPServer.with(.init(credentials: ["outboxd": "CANARY-p4ss"])) { server in
            let relay = SMTPRelay(server).with { $0.credentials = credentials }
            #expect(await SMTPLane(relay: relay, number: 1).send(.sample()).isAccepted)
            #expect(server.ledger.accepted.first?.user == "outboxd")
        }
    }

    @Test("a wrong password is reported with the relay's words, but never shown")
    func wrongPassword() async throws {
        try await FakeSMTPServer.with(.init(credentials: ["outboxd": "another"])) { server in
            let relay = SMTPRelay(server).with { $0.credentials = credentials }
            let failure = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
            #expect(failure.stage == .auth)
            #expect(failure.reply?.code == 535)
            guard case .authenticationRefused = failure.cause else {
                Issue.record("reported as \(failure.cause)")
                return
            }
            #expect(!String(reflecting: failure).contains("CANARY"))
            #expect(!String(reflecting: relay).contains("CANARY"))
            #expect(server.ledger.commands["MAIL"] == nil)
        }
    }

    @Test(
        "a password that the relay repeats is masked, in clear or as AUTH sent it",
        arguments: [
            "CANARY-p4ss", "canary%2dp4ss", "AG91dGJveGQAQ0FOQVJZLXA0c3M=", "b3V0Ym94ZABvdXRib3hkAENBTkFSWS1wNHNz",
            "Q0FOQVJZLXA0c3M=", "CANARY-\\np4ss",
        ]
    )
    func repeatedPassword(words: String) async throws {
        let fault = try Fault(parsing: "auth: reply 535 5.7.8 \"rejected: <\(words)>\"")
        let options = FakeSMTPServer.Options(credentials: ["outboxd": "CANARY-p4ss"])
        try await FakeSMTPServer.with(options, faults: [fault]) { server in
            let relay = SMTPRelay(server).with { $0.credentials = credentials }
            let lane = SMTPLane(relay: relay, number: 1)
            #expect(await lane.send(.sample()).failure?.detail == "535 5.7.8 rejected: <[secret]>")
        }
    }

    @Test("the relay's words are masked with the password that was read last")
    func changedPassword() async throws {
        let options = FakeSMTPServer.Options(credentials: ["outboxd": "CANARY-p4ss"])
        try await FakeSMTPServer.with(options, faults: ["auth: reply 535 \"CANARY-p4ss\""]) { server in
            let old = SMTPCredentials(user: "outboxd", password: "another-password")
            let lane = SMTPLane(relay: SMTPRelay(server).with { $0.credentials = old }, number: 1)
            _ = await lane.send(.sample())
            await lane.use(SMTPRelay(server).with { $0.credentials = credentials })
            #expect(await lane.send(.sample()).failure?.detail == "535 [secret]")
        }
    }

    @Test(
        "a fault at AUTH is reported at its stage",
        arguments: [
            "auth: reply 454 4.7.0 \"not now\"", "auth: drop", "auth: hang", "auth: garbled",
        ]
    )
    func authenticationFaults(fault: String) async throws {
        let options = FakeSMTPServer.Options(credentials: ["outboxd": "CANARY-p4ss"])
        try await FakeSMTPServer.with(options, faults: [Fault(parsing: fault)]) { server in
            let relay = SMTPRelay(server).with { $0.credentials = credentials }
            let failure = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
            #expect(failure.stage == .auth)
            #expect(FailurePolicy.verdict(for: failure).disposition == .again)
        }
    }

    @Test("a relay that requires authentication is reported as such")
    func authenticationRequired() async throws {
        var options = FakeSMTPServer.Options(credentials: ["outboxd": "CANARY-p4ss"])
        options.requiresAuthentication = true
        try await FakeSMTPServer.with(options) { server in
            let failure = try #require(await SMTPLane(relay: SMTPRelay(server), number: 1).send(.sample()).failure)
            #expect(failure.reply?.code == 530)
            #expect(FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .authenticationRequired))
        }
    }
}
