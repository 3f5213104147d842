// What the service manager and `systemctl status` are told, put together from what delivery and reloads say. Never
// looks anything up itself.

import Foundation
import OutboxDelivery
import ServiceLifecycle
import ServiceProcess
import Synchronization

/// The one line of `STATUS=`, and the changes of state around it.
final class StatusBoard: Sendable {
    private struct Lines {
        var delivery = "starting"
        var reload: String?
        var isStopping = false

        var line: String { ([delivery] + [reload].compactMap(\.self)).joined(separator: "; ") }
    }

    private let manager: ServiceManager?
    private let lines = Mutex(Lines())

    /// More of an error is in the log.
    private static let errorLimit = 300

    /// - Parameter manager: `nil`: nobody is told.
    init(manager: ServiceManager?) { self.manager = manager }

    /// What delivery is to show of itself: often enough for the watchdog, and for a line that is true.
    var pulse: DeliveryPulse {
        guard let manager else { return DeliveryPulse() }
        let often = Duration.seconds(10)
        return DeliveryPulse(
            interval: min(often, manager.watchdogInterval.map { $0 / 4 } ?? often),
            onStep: { manager.watchdog() },
            onRound: { state in self.show { $0.delivery = state.line } }
        )
    }

    /// Delivery has begun.
    func ready() {
        manager?.ready()
    }

    /// The configuration is being read again.
    func reloading() { manager?.reloading() }

    /// It is in use, but for these keys.
    func reloaded(needingRestart keys: [String]) {
        show { lines in
            lines.reload = keys.isEmpty ? nil : "restart outboxd for the changed \(keys.joined(separator: ", "))"
        }
        manager?.ready()
    }

    /// It is not in use.
    func reloadRefused(_ error: String) {
        let error = error.count > Self.errorLimit ? error.prefix(Self.errorLimit) + "… (the log has all)" : error[...]
        let moment = Date.now.formatted(.iso8601)
        show { $0.reload = "reload refused at \(moment), the old configuration is in use: \(error)" }
        manager?.ready()
    }

    /// Nothing new is begun.
    func stopping() {
        lines.withLock { $0.isStopping = true }
        manager?.stopping()
        manager?.status("stopping: what is being sent may finish")
    }

    private func show(_ change: (inout Lines) -> Void) {
        let line: String? = lines.withLock { lines in
            change(&lines)
            return lines.isStopping ? nil : lines.line
        }
        if let line { manager?.status(line) }
    }
}

/// Says that the service stops, as soon as it is to; the services before it are told afterwards.
struct StoppingNotice: Service, CustomStringConvertible {
    let board: StatusBoard

    /// What the log calls it.
    var description: String { "stopping notice" }

    func run() async throws {
        // Fails only when the task is cancelled, which means the same: stop.
        try? await gracefulShutdown()
        board.stopping()
    }
}
