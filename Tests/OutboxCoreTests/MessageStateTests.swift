// The legal ways between the states of a message.

import OutboxCore
import Testing

@Suite struct MessageStateTests {
    private static let events: [MessageEvent] = [
        .claimed, .accepted, .deferred, .rejected, .returnedUnsent(earlierAttempts: 0),
        .returnedUnsent(earlierAttempts: 2), .expired, .superseded, .suppressed, .cancelled, .bounced,
    ]

    @Test("a final state is left by a bounce after acceptance alone", arguments: events)
    func finalStatesAreFinal(event: MessageEvent) {
        for state in MessageState.allCases where !state.isOpen {
            #expect(state.after(event) == (state == .accepted && event == .bounced ? .bounced : nil))
        }
    }

    @Test("only what waits can be claimed")
    func claiming() {
        for state in MessageState.allCases {
            #expect(state.after(.claimed) == (state.isClaimable ? .sending : nil))
        }
    }

    @Test("an attempt's outcome needs a claim", arguments: [MessageEvent.accepted, .deferred, .rejected])
    func outcomes(event: MessageEvent) {
        for state in MessageState.allCases {
            #expect((state.after(event) != nil) == (state == .sending))
        }
    }

    @Test("a claim that is given back leaves the state it was made in")
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
