// A wake-up call with many callers and one waiter. Carries no data.

/// Calls while nobody waits are remembered as one call.
struct WakeUp: Sendable {
    /// Ends when the wake-up is closed.
    let calls: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (calls, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Wakes the waiter, or the next one.
    func call() { continuation.yield() }

    /// Ends all waiting permanently.
    func close() { continuation.finish() }
}
