// Makes SIGTERM and SIGINT awaitable. Ends nothing itself.

import Dispatch
import Glibc

/// Waits for a request to end. Create it before the server starts, so that an early signal is not fatal.
struct TerminationSignals {
    private let arrivals: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (arrivals, continuation) = AsyncStream<Void>.makeStream()
        self.arrivals = arrivals
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
    }

    /// Returns when the first one arrives.
    func first() async {
        for await _ in arrivals { break }
        withExtendedLifetime(sources) {}
    }
}
