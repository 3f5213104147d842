// The state that delivery reports after each round of dispatching. Never formats or sends it.

import Foundation
package import OutboxCore
package import OutboxStore

/// The state of delivery as of the last round.
package struct DeliveryState: Sendable {
    /// When the first waiting message fell due; `nil` if no message is due.
    package var dueSince: Timestamp?
    /// How many messages are with a lane or in the queue.
    package var underWay: Int
    /// Whether messages of a restored file wait for an operator's decision.
    package var hasRestored: Bool
    /// The relays in order of preference.
    package var relays: [RelayStatus]
    /// Why the last round failed; `nil` if it succeeded.
    package var trouble: String?

    /// The state as one line for people. Times are in UTC, so that the line stays true as it grows old.
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
        let restored = hasRestored ? ["messages of a restored database wait for outboxctl accept-restored"] : []
        return ([messages] + restored + relays.map(\.line)).joined(separator: "; ")
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

/// The dispatcher's signs of life, for a watchdog.
///
/// Only the dispatcher's own steps produce them. An idle dispatcher is asked for a round every `interval`; if the
/// dispatcher hangs in a step, the request has no effect.
package struct DeliveryPulse: Sendable {
    /// The longest time between two rounds; `nil`: a round is made only when there is something to do.
    package var interval: Duration?
    /// Called after each step, including failed steps: a step that ends has not hung.
    package var onStep: @Sendable () -> Void
    /// Called after rounds, at most once a second.
    package var onRound: @Sendable (DeliveryState) -> Void

    /// Creates a pulse; by default nobody watches.
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
