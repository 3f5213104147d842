// The result that a lane reports for each kind of fault at each stage of an SMTP transaction, on new and used
// connections.

import FakeSMTP
import InternetMessage
import OutboxCore
import SMTPTransport
import Testing

@Suite("A fault at a stage", .timeLimit(.minutes(10)))
struct FailureMatrixTests {
    enum Kind: String, CaseIterable, Sendable {
        case temporary = "reply 451 4.3.0 \"later\""
        case permanent = "reply 554 5.7.1 \"no\""
        case closing = "reply 421 4.3.2 \"going down\""
        case drop, reset, hang, garbled
    }

    private static let stages: [Fault.Stage] = [.connect, .ehlo, .mail, .rcpt, .data, .body, .finalDot]

    private static func outcome(_ stage: Fault.Stage) -> SMTPStage {
        switch stage {
        case .connect: .connect
        case .ehlo: .ehlo
        case .startTLS: .startTLS
        case .auth: .auth
        case .mail: .mail
        case .rcpt: .rcpt
        case .data: .data
        case .body: .body
        case .finalDot: .finalDot
        case .quit: preconditionFailure("QUIT belongs to no mail")
        }
    }

    @Test(
        "is reported with its stage, the relay's words, and whether the mail may have arrived",
        arguments: stages,
        Kind.allCases
    )
    func newConnection(stage: Fault.Stage, kind: Kind) async throws {
        guard stage != .body else { return try await inBody(kind) }
        let fault = try Fault(parsing: "\(stage.rawValue): \(kind.rawValue)")
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let result = await lane.send(.sample())
            let failure = try #require(result.failure)
            try check(failure, stage: stage, kind: kind)
            #expect(server.ledger.firingCount(of: fault) >= 1)
            #expect(server.ledger.acceptedCount == 0)
        }
    }

    @Test(
        "is reported alike on a connection that has carried a mail",
        arguments: [Fault.Stage.rcpt, .data, .finalDot],
        Kind.allCases
    )
    func usedConnection(stage: Fault.Stage, kind: Kind) async throws {
        let fault = try Fault(parsing: "\(stage.rawValue): \(kind.rawValue) nth 2")
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            let failure = try #require(await lane.send(.sample()).failure)
            try check(failure, stage: stage, kind: kind)
            #expect(server.ledger.connectionCount == 1)
            #expect(server.ledger.acceptedCount == 1)
        }
    }

    @Test(
        "is reported alike over TLS",
        arguments: [Fault.Stage.mail, .rcpt, .data, .finalDot],
        [Kind.temporary, .closing, .drop, .reset, .garbled]
    )
    func overTLS(stage: Fault.Stage, kind: Kind) async throws {
        let fault = try Fault(parsing: "\(stage.rawValue): \(kind.rawValue)")
        try await FakeSMTPServer.with(.init(tls: .startTLS), faults: [fault]) { server in
            try await withCAFile(of: server) { file in
                let lane = SMTPLane(
                    relay: SMTPRelay(server, tls: .required).with { $0.configuration.caFile = file },
                    number: 1
                )
                try check(try #require(await lane.send(.sample()).failure), stage: stage, kind: kind)
                #expect(server.ledger.acceptedCount == 0 && server.ledger.connectionCount == 1)
            }
        }
    }

    @Test(
        "a connection that breaks when the next mail begins is replaced at once",
        arguments: [Kind.closing, .drop, .reset]
    )
    func staleConnection(kind: Kind) async throws {
        let fault = try Fault(parsing: "mail: \(kind.rawValue) nth 2")
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.firingCount(of: fault) == 1)
            #expect(server.ledger.connectionCount == 2)
        }
    }

    /// A large body, so that the connection breaks before all of it is sent. A refusal inside the body is a 421, and a
    /// garbled reply there makes no sense.
    private func inBody(_ kind: Kind) async throws {
        switch kind {
        case .temporary, .permanent, .garbled:
            #expect(throws: FaultError.self) { try Fault(parsing: "body: \(kind.rawValue)") }
            return
        case .closing, .drop, .reset, .hang:
            break
        }
        let fault = try Fault(parsing: "body: \(kind.rawValue)")
        let line = String(repeating: "x", count: 70) + "\r\n"
        let mail = OutgoingMail.sample(body: String(repeating: line, count: 100_000))
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(mail).failure)
            #expect([.body, .finalDot].contains(failure.stage))
            #expect(failure.isUncertain == (failure.stage == .finalDot && failure.reply == nil))
            #expect(server.ledger.acceptedCount == 0)
        }
    }

    private func check(_ failure: TransmissionFailure, stage: Fault.Stage, kind: Kind) throws {
        #expect(failure.stage == Self.outcome(stage))
        switch kind {
        case .temporary:
            #expect(failure.detail == "451 4.3.0 later")
            #expect(failure.reply?.code == 451)
        case .permanent:
            #expect(failure.detail == "554 5.7.1 no")
            #expect(failure.reply?.enhancedStatus == EnhancedStatusCode(5, 7, 1))
        case .closing:
            #expect(failure.reply?.code == 421)
        case .drop, .reset:
            #expect(failure.cause == .connectionLost)
        case .hang:
            #expect(failure.cause == .timedOut)
        case .garbled:
            #expect(failure.cause == .garbledReply)
        }
        let isBroken = [.drop, .reset, .hang, .garbled].contains(kind)
        #expect(failure.isUncertain == (stage == .finalDot && isBroken))
    }
}
