// Answers SIGHUP: reads the configuration and all files that it names again, and applies them all or not at all. Never
// reads them without a signal.

import Logging
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import ProgramSupport
import ServiceLifecycle
import ServiceProcess
import UnixSignals

/// Reloads the configuration after each SIGHUP.
struct ReloadService: Service, CustomStringConvertible {
    /// Trapped before the configuration is first read, so that no later change is missed.
    let signals: UnixSignalsSequence
    /// Ends when delivery runs: a reload must not be reported before the service is reported ready.
    let delivering: AsyncStream<Void>
    /// The configuration that delivery uses.
    let current: CurrentConfiguration
    /// The database that was opened at start.
    let store: OutboxDatabase
    let threshold: LogThreshold
    let log: DeliveryLog
    let board: StatusBoard
    let templateCheck: TemplateCheck
    /// Reads everything again.
    let read: @Sendable () throws -> LoadedConfiguration

    /// The service's name in the log.
    var description: String { "reload" }

    func run() async throws {
        for await _ in delivering.cancelOnGracefulShutdown() {}
        // A signal that came before the trap may have come after the configuration was read.
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
        // This comes first, because only this step can fail.
        try await store.setGuidance(loaded.settings.guidance)
        var waiting = current.take(loaded.delivery)
        if loaded.settings.database.path != store.path { waiting.insert("database", at: 0) }
        threshold.set(loaded.settings.logLevel)
        log.reloaded(needingRestart: waiting, notReadAgain: loaded.fixedCredentials)
        board.reloaded(needingRestart: waiting)
        templateCheck.check(loaded)
    }
}
