// The permitted transitions between the states of a message.

import OutboxCore
import Testing

@Suite struct MessageStateTests {
    private static let events: [MessageEvent] = [
        .claimed, .accepted, .deferred, .rejected, .returnedUnsent(earlierAttempts: 0),
        .returnedUnsent(earlierAttempts: 2), .expired, .superseded, .suppressed, .cancelled, .bounced,
    ]

    @Test("only a bounce after acceptance leaves a final state", arguments: events)
    func finalStatesAreFinal(event: MessageEvent) {
        for state in MessageState.allCases where !state.isOpen {
            #expect(state.after(event) == (state == .accepted && event == .bounced ? .bounced : nil))
        }
    }

    @Test("only waiting messages can be claimed")
    func claiming() {
        for state in MessageState.allCases {
            #expect(state.after(.claimed) == ([.queued, .deferred].contains(state) ? .sending : nil))
        }
    }

    @Test("an attempt's outcome needs a claim", arguments: [MessageEvent.accepted, .deferred, .rejected])
    func outcomes(event: MessageEvent) {
        for state in MessageState.allCases {
            #expect((state.after(event) != nil) == (state == .sending))
        }
    }

    @Test("a released claim restores the state from before it")
    func returning() {
        #expect(MessageState.sending.after(.returnedUnsent(earlierAttempts: 0)) == .queued)
        #expect(MessageState.sending.after(.returnedUnsent(earlierAttempts: 1)) == .deferred)
    }

    @Test("every open message can expire, be superseded, suppressed and cancelled")
    func endings() {
        for state in MessageState.allCases where state.isOpen {
            #expect(state.after(.expired) == .expired)
            #expect(state.after(.superseded) == .superseded)
            #expect(state.after(.suppressed) == .suppressed)
            #expect(state.after(.cancelled) == .cancelled)
        }
    }
}
