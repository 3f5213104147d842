// A wake-up call that many may give and one waits for. Carries no data.

/// Calls given while nobody waits are remembered as one.
struct WakeUp: Sendable {
    /// Ends when the signal is closed.
    let calls: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (calls, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Wakes whoever waits, or the next one who will.
    func call() { continuation.yield() }

    /// Ends the waiting for good.
    func close() { continuation.finish() }
}
