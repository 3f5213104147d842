// Renews the leases of this process's claims as long as the process lives. Never ends a lease.

import OutboxCore
import OutboxStore

/// A message may wait long for its relay's answer, and its claim must last until then. A crash must not delay the
/// message. So leases are short, and are renewed while the process lives.
struct LeaseKeeper: Sendable {
    let store: any DeliveryStore
    let lease: Duration
    let leases: LeaseBook
    let environment: DeliveryEnvironment
    let log: DeliveryLog

    /// The pause after a failure is short: another daemon waits only a third of a lease before it takes claims over.
    private static let retryDelay = Duration.seconds(1)

    /// Renews the claims three times per lease until the task is cancelled.
    func run() async {
        var pause = lease / 3
        while true {
            do { try await environment.sleep(pause) } catch { return }
            // The wait for the write lock must not make the lease longer than the store says.
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
