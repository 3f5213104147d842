// The kinds of faults for the tests, and the table of stages at which each makes sense.

import FakeSMTP

enum FaultKind: CaseIterable {
    case replyTemporary, replyPermanent, replyClosing, replyPositive
    case drop, reset, delay, hang, garbled, acceptDrop, breakTLS

    /// The table, independent of the library's own rules.
    func fits(_ stage: Fault.Stage) -> Bool {
        switch self {
        case .drop, .reset, .delay, .hang, .replyClosing: true
        case .replyTemporary, .replyPermanent, .replyPositive, .garbled: stage != .body
        case .acceptDrop: stage == .finalDot
        case .breakTLS: stage == .startTLS || stage == .connect
        }
    }

    func action(at stage: Fault.Stage) -> Fault.Action {
        switch self {
        case .replyTemporary: .reply(451, enhanced: "4.3.0", text: "later\nor never")
        case .replyPermanent: .reply(554, enhanced: "5.7.1", text: "no")
        case .replyClosing: .reply(421, enhanced: "4.3.2", text: "going down")
        case .replyPositive: .reply(Self.positiveCode(at: stage), text: "as you like")
        case .drop: .drop
        case .reset: .reset
        case .delay: .delay(.milliseconds(30))
        case .hang: .hang
        case .garbled: .garbled
        case .acceptDrop: .acceptDrop
        case .breakTLS: .breakTLS
        }
    }

    private static func positiveCode(at stage: Fault.Stage) -> Int {
        switch stage {
        case .connect, .startTLS: 220
        case .auth: 235
        case .data: 354
        case .quit: 221
        case .rcpt: 251
        case .ehlo, .mail, .body, .finalDot: 250
        }
    }
}
