// Answers SIGHUP: reads passwords again and passes them on. Never changes anything else of the configuration.

import Logging
import OutboxDelivery
import ServiceLifecycle
import UnixSignals

/// Reads the relays' passwords again each time SIGHUP comes.
struct ReloadService: Service, CustomStringConvertible {
    /// The relays with what was read, once for each SIGHUP.
    let relays: AsyncStream<[DeliveryRelay]>

    private let continuation: AsyncStream<[DeliveryRelay]>.Continuation
    private let logger: Logger
    private let read: @Sendable () throws -> [DeliveryRelay]

    /// - Parameter read: gives the relays of the configuration with their passwords as they are now.
    init(logger: Logger, read: @escaping @Sendable () throws -> [DeliveryRelay]) {
        self.logger = logger
        self.read = read
        (relays, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What the log calls it.
    var description: String { "reload" }

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown()
        for await _ in signals {
            do {
                continuation.yield(try read())
            } catch {
                logger.error("reload failed, what was read before stays in use", metadata: ["error": "\(error)"])
            }
        }
        continuation.finish()
    }
}
