// Answers SIGHUP: reads the configuration and all that it names again, and puts it to use, whole or not at all. Never
// reads it without being asked.

import Logging
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import ProgramSupport
import ServiceLifecycle
import ServiceProcess
import UnixSignals

/// Reloads the configuration each time SIGHUP comes.
struct ReloadService: Service, CustomStringConvertible {
    /// Trapped since before the configuration was first read, so that no change after that is missed.
    let signals: UnixSignalsSequence
    /// Ends when delivery runs: nothing may be said of a reload before it was said that the service is ready.
    let delivering: AsyncStream<Void>
    /// What delivery works by.
    let current: CurrentConfiguration
    /// The database that was opened at start.
    let store: OutboxDatabase
    let threshold: LogThreshold
    let log: DeliveryLog
    let board: StatusBoard
    /// Reads everything again.
    let read: @Sendable () throws -> LoadedConfiguration

    /// What the log calls it.
    var description: String { "reload" }

    func run() async throws {
        for await _ in delivering.cancelOnGracefulShutdown() {}
        // What came before the signal was trapped may have come after the configuration was read.
        if ProcessManners.hasHungUp { await reload() }
        for await _ in signals.cancelOnGracefulShutdown() { await reload() }
    }

    private func reload() async {
        board.reloading()
        do { try await take(try read()) } catch {
            log.reloadRefused(error)
            board.reloadRefused("\(error)")
        }
    }

    private func take(_ loaded: LoadedConfiguration) async throws {
        try CertificateFile.check(loaded.settings)
        // Before the rest, because nothing but this can fail.
        try await store.setGuidance(loaded.settings.guidance)
        var waiting = current.take(loaded.delivery)
        if loaded.settings.database.path != store.path { waiting.insert("database", at: 0) }
        threshold.set(loaded.settings.logLevel)
        log.reloaded(needingRestart: waiting, notReadAgain: loaded.fixedCredentials)
        board.reloaded(needingRestart: waiting)
    }
}
