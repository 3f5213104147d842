// Removes old rows during delivery: decides when, and how many at once. Never touches an open message.

import OutboxCore
import OutboxStore

/// Finds messages that have been final for longer than the retention time, and removes them in slices with pauses in
/// between, so that applications and delivery get the write lock.
struct RetentionKeeper: Sendable {
    let store: any DeliveryStore
    /// How long final messages are kept, and after them their ids and idempotency keys; `nil`: for ever. Read again
    /// each time.
    let retention: @Sendable () -> Duration?
    let environment: DeliveryEnvironment
    let log: DeliveryLog
    /// A clock that can't be set.
    var uptime: @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }

    private static let firstLook = Duration.seconds(10)
    private static let longestInterval = Duration.seconds(3600)
    /// How long the keeper waits after the clock was set: the clock may be wrong, and removal can't be undone.
    private static let distrust = Duration.seconds(6 * 3600)
    private static let tolerance = Duration.seconds(60)

    /// Removes until the task is cancelled.
    func run() async {
        var pace = SlicePace()
        var last = (now: environment.now(), uptime: uptime())
        var trustedFrom = last.uptime
        var pause = Self.firstLook
        while true {
            do { try await environment.sleep(pause) } catch { return }
            let retention = retention()
            pause = min(Self.longestInterval, (retention ?? Self.longestInterval) / 12)
            let present = (now: environment.now(), uptime: uptime())
            let step = present.now.timeSince(last.now) - (present.uptime - last.uptime)
            last = present
            if step > Self.tolerance {
                trustedFrom = present.uptime + Self.distrust
                log.retentionWaits(for: Self.distrust, step: step)
            }
            guard present.uptime >= trustedFrom, let retention else { continue }
            do {
                for step in RetentionStep.allCases {
                    try await remove(step, present.now - retention, now: present.now, &pace)
                }
            } catch is CancellationError {
                return
            } catch {
                log.storeTrouble(.retiring, error)
            }
        }
    }

    /// Removes all rows that are old by now.
    private func remove(
        _ step: RetentionStep,
        _ before: Timestamp,
        now: Timestamp,
        _ pace: inout SlicePace
    ) async throws {
        var place: RetentionPlace?
        var removed = 0
        var refused: [RowRefusal] = []
        var longest = Duration.zero
        defer { log.retired(step, count: removed, longest: longest, refused: refused) }
        repeat {
            let slice = try await store.retire(
                step,
                before: before,
                from: place,
                pace: pace,
                now: now,
                uptime: uptime
            )
            removed += slice.removed
            refused += slice.refused
            longest = max(longest, slice.held)
            place = slice.next
            guard place != nil else { return }
            pace.note(rows: slice.lookedAt, held: slice.held)
            try await environment.sleep(pace.pause)
        } while true
    }
}
