// Renews the leases of what this process has claimed, as long as it lives. Never ends one.

import OutboxCore
import OutboxStore

/// A message may wait long for an answer of its relay; its claim must outlive that, and a crash must not make it wait.
/// So leases are short, and renewed while the process lives.
struct LeaseKeeper: Sendable {
    let store: any DeliveryStore
    let lease: Duration
    let leases: LeaseBook
    let environment: DeliveryEnvironment
    let log: DeliveryLog

    /// After a failure it is tried again soon: another daemon waits a third of a lease before it takes claims over.
    private static let retryDelay = Duration.seconds(1)

    /// Renews three times a lease until the task is cancelled.
    func run() async {
        var pause = lease / 3
        while true {
            do { try await environment.sleep(pause) } catch { return }
            // The lease that counts begins before the wait for the write lock.
            let began = environment.uptime()
            do {
                try await store.renewLeases(until: environment.now() + lease)
                leases.renewed(until: began + lease)
                pause = lease / 3
                log.storeWorks(.renewing)
            } catch is CancellationError {
                return
            } catch {
                log.storeTrouble(.renewing, error)
                pause = min(Self.retryDelay, lease / 3)
            }
        }
    }
}
