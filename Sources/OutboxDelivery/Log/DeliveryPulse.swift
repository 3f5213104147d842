// What delivery shows of itself after each round of dispatching. Never formats it and never sends it anywhere.

import Foundation
package import OutboxCore
package import OutboxStore

/// How delivery is, as of the last round.
package struct DeliveryState: Sendable {
    /// Since when the first message is due that is not under way; `nil` where none is.
    package var dueSince: Timestamp?
    /// How many messages are with a lane or wait for one.
    package var underWay: Int
    /// The relays in order of preference.
    package var relays: [RelayStatus]
    /// Why the last round failed; `nil` where it didn't.
    package var trouble: String?

    /// The same in one line for people; moments are in UTC, so that the line stays true as it grows old.
    package var line: String {
        let messages: String
        if let trouble {
            messages = "the outbox can't be worked on: \(trouble)"
        } else {
            switch (underWay, dueSince) {
            case (0, nil): messages = "no message waits to be sent"
            case (0, .some(let moment)): messages = "messages wait since \(moment.timeOfDay)"
            case (_, nil): messages = "\(underWay) under way"
            case (_, .some(let moment)): messages = "\(underWay) under way, more wait since \(moment.timeOfDay)"
            }
        }
        return ([messages] + relays.map(\.line)).joined(separator: "; ")
    }
}

extension RelayStatus {
    fileprivate var line: String {
        guard let downSince else { return "relay \(name) is \(state.rawValue)" }
        return "relay \(name) is \(state.rawValue), down since \(downSince.timeOfDay)\(reason.map { " (\($0))" } ?? "")"
    }
}

extension Timestamp {
    fileprivate var timeOfDay: String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601)
    }
}

/// The signs of life of the dispatcher, for whoever watches it.
///
/// They come from the dispatcher's own steps and from nothing else. A dispatcher with nothing to do is asked for a round
/// every `interval`; if it hangs in a step, the asking changes nothing.
package struct DeliveryPulse: Sendable {
    /// How often a round is made at least; `nil`: only when there is something to do.
    package var interval: Duration?
    /// Called after each step, the failed ones included: a step that ends has not hung.
    package var onStep: @Sendable () -> Void
    /// Called after rounds, once a second at most.
    package var onRound: @Sendable (DeliveryState) -> Void

    /// Makes it; by default nobody watches.
    package init(
        interval: Duration? = nil,
        onStep: @escaping @Sendable () -> Void = {},
        onRound: @escaping @Sendable (DeliveryState) -> Void = { _ in }
    ) {
        self.interval = interval
        self.onStep = onStep
        self.onRound = onRound
    }
}
