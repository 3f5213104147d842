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

    /// How the commands reach the relay.
    enum Order: CaseIterable, Sendable {
        case pipelined, lockstep

        func options(tls: FakeSMTPServer.TLSMode = .none) -> FakeSMTPServer.Options {
            var options = FakeSMTPServer.Options(tls: tls)
            if self == .lockstep { options.offers.remove(.pipelining) }
            return options
        }
    }

    /// Every fault, pipelined and in lockstep.
    private static let cells = Order.allCases.flatMap { order in Kind.allCases.map { (order: order, kind: $0) } }

    /// A garbled reply among those to a group of commands, or a connection that ends there: the mail goes over a new
    /// connection in lockstep.
    private func isTriedInLockstep(_ order: Order, _ stage: Fault.Stage, _ kind: Kind) -> Bool {
        order == .pipelined && [.garbled, .drop, .reset].contains(kind) && [.mail, .rcpt, .data].contains(stage)
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
        cells
    )
    func newConnection(stage: Fault.Stage, cell: (order: Order, kind: Kind)) async throws {
        let kind = cell.kind
        guard stage != .body else { return try await inBody(kind, cell.order) }
        let fault = try Fault(parsing: "\(stage.rawValue): \(kind.rawValue)")
        try await FakeSMTPServer.with(cell.order.options(), faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let result = await lane.send(.sample())
            let failure = try #require(result.failure)
            try check(failure, stage: stage, cell)
            #expect(server.ledger.firingCount(of: fault) >= 1)
            #expect(server.ledger.acceptedCount == 0)
        }
    }

    @Test(
        "is reported alike on a connection that has carried a mail",
        arguments: [Fault.Stage.rcpt, .data, .finalDot],
        cells
    )
    func usedConnection(stage: Fault.Stage, cell: (order: Order, kind: Kind)) async throws {
        let fault = try Fault(parsing: "\(stage.rawValue): \(cell.kind.rawValue) nth 2")
        try await FakeSMTPServer.with(cell.order.options(), faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            let result = await lane.send(.sample())
            if isTriedInLockstep(cell.order, stage, cell.kind) {
                #expect(result.isAccepted && server.ledger.connectionCount == 2)
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.ledger.connections.last?.pipelinedCommands == 0)
                return
            }
            try check(try #require(result.failure), stage: stage, cell)
            #expect(server.ledger.connectionCount == 1)
            #expect(server.ledger.acceptedCount == 1)
        }
    }

    @Test(
        "is reported alike over TLS",
        arguments: [Fault.Stage.mail, .rcpt, .data, .finalDot],
        cells.filter { ![.permanent, .hang].contains($0.kind) }
    )
    func overTLS(stage: Fault.Stage, cell: (order: Order, kind: Kind)) async throws {
        let kind = cell.kind
        let fault = try Fault(parsing: "\(stage.rawValue): \(kind.rawValue)")
        try await FakeSMTPServer.with(cell.order.options(tls: .startTLS), faults: [fault]) { server in
            try await withCAFile(of: server) { file in
                let lane = SMTPLane(
                    relay: SMTPRelay(server, tls: .required).with { $0.configuration.caFile = file },
                    number: 1
                )
                try check(try #require(await lane.send(.sample()).failure), stage: stage, cell)
                let connections = isTriedInLockstep(cell.order, stage, kind) ? 2 : 1
                #expect(server.ledger.acceptedCount == 0 && server.ledger.connectionCount == connections)
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
    private func inBody(_ kind: Kind, _ order: Order) async throws {
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
        try await FakeSMTPServer.with(order.options(), faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(mail).failure)
            #expect([.body, .finalDot].contains(failure.stage))
            #expect(failure.isUncertain == (failure.stage == .finalDot && failure.reply == nil))
            #expect(server.ledger.acceptedCount == 0)
        }
    }

    private func check(
        _ failure: TransmissionFailure,
        stage: Fault.Stage,
        _ cell: (order: Order, kind: Kind)
    ) throws {
        let kind = cell.kind
        // In a group the recipient may be the cause as well.
        let isOfGroup = cell.order == .pipelined && stage == .mail && kind == .hang
        #expect(failure.stage == (isOfGroup ? .rcpt : Self.outcome(stage)))
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
            // A RST may arrive before libcurl has noticed that it is connected.
            let isBeforeConnection = stage == .connect && failure.cause == .couldNotConnect
            #expect(failure.cause == .connectionLost || isBeforeConnection)
        case .hang:
            #expect(failure.cause == .timedOut)
        case .garbled:
            #expect(failure.cause == .garbledReply)
        }
        let isBroken = [.drop, .reset, .hang, .garbled].contains(kind)
        #expect(failure.isUncertain == (stage == .finalDot && isBroken))
    }
}
