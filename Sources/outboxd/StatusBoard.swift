// Composes the messages to the service manager and `systemctl status` from the reports of delivery and reloads. Never
// looks anything up itself.

import Foundation
import OutboxDelivery
import ServiceLifecycle
import ServiceProcess
import Synchronization

/// The line of `STATUS=`, and the changes of state around it.
final class StatusBoard: Sendable {
    private struct Lines {
        var delivery = "starting"
        var reload: String?
        var isStopping = false

        var line: String { ([delivery] + [reload].compactMap(\.self)).joined(separator: "; ") }
    }

    private let manager: ServiceManager?
    private let lines = Mutex(Lines())

    /// The log has the rest of the error.
    private static let errorLimit = 300

    /// - Parameter manager: `nil` if there is no manager to tell.
    init(manager: ServiceManager?) { self.manager = manager }

    /// The reports that delivery should make: often enough for the watchdog and for an accurate line.
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

    /// The new configuration is in use, except for these keys.
    func reloaded(needingRestart keys: [String]) {
        show { lines in
            lines.reload = keys.isEmpty ? nil : "restart outboxd for the changed \(keys.joined(separator: ", "))"
        }
        manager?.ready()
    }

    /// The new configuration is not in use.
    func reloadRefused(_ error: String) {
        let error = error.count > Self.errorLimit ? error.prefix(Self.errorLimit) + "… (see the log)" : error[...]
        let moment = Date.now.formatted(.iso8601)
        show { $0.reload = "reload refused at \(moment), the old configuration is in use: \(error)" }
        manager?.ready()
    }

    /// The service starts no new work.
    func stopping() {
        lines.withLock { $0.isStopping = true }
        manager?.stopping()
        manager?.status("stopping: transmissions may finish")
    }

    private func show(_ change: (inout Lines) -> Void) {
        let line: String? = lines.withLock { lines in
            change(&lines)
            return lines.isStopping ? nil : lines.line
        }
        if let line { manager?.status(line) }
    }
}

/// Announces the stop as soon as it is requested; the services before this one are told afterwards.
struct StoppingNotice: Service, CustomStringConvertible {
    let board: StatusBoard

    /// The service's name in the log.
    var description: String { "stopping notice" }

    func run() async throws {
        // Fails only when the task is cancelled, which also means: stop.
        try? await gracefulShutdown()
        board.stopping()
    }
}
