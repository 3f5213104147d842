// Has the database looked through for damage during delivery: decides when. Never reads the database itself.

import OutboxStore

/// Inspects the outbox's tables soon after the start, and then once a day.
///
/// An inspection reads every page, which keeps a processor busy for seconds in a large outbox. So it waits while more
/// messages are due than can be sent, but not for long: a relay may be down for hours, and damage should be known by then.
struct InspectionKeeper: Sendable {
    let inspect: @Sendable () async throws -> Inspection
    let hasBacklog: @Sendable () -> Bool
    let environment: DeliveryEnvironment
    /// The database's path, for the log.
    let database: String
    let log: DeliveryLog

    private static let interval = Duration.seconds(86_400)
    private static let look = Duration.seconds(1)
    /// How often a backlog is looked at before the inspection runs beside it.
    private static let mostLooks = 600

    /// Inspects until the task is cancelled.
    func run() async {
        while true {
            do {
                for _ in 1...Self.mostLooks {
                    try await environment.sleep(Self.look)
                    if !hasBacklog() { break }
                }
                log.inspected(try await inspect(), database: database)
                log.storeWorks(.inspecting)
            } catch {
                if Task.isCancelled { return }
                log.storeTrouble(.inspecting, error)
            }
            do { try await environment.sleep(Self.interval) } catch { return }
        }
    }
}
