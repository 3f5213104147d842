// Renews the leases of what this process has claimed, as long as it lives. Never ends one.

import OutboxCore
import OutboxStore

/// A message may wait long for an answer of its relay; its claim must outlive that, and a crash must not make it wait.
/// So leases are short, and renewed while the process lives.
struct LeaseKeeper: Sendable {
    let store: any DeliveryStore
    let lease: Duration
    let environment: DeliveryEnvironment
    let log: DeliveryLog

    /// Renews three times a lease until the task is cancelled.
    func run() async {
        while true {
            do { try await environment.sleep(lease / 3) } catch { return }
            do {
                try await store.renewLeases(until: environment.now() + lease)
            } catch is CancellationError {
                return
            } catch {
                log.storeTrouble(.renewing, error)
            }
        }
    }
}
