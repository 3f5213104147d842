// The program outboxd: reads its arguments and wires the services together. Nothing else.

import ArgumentParser
import Foundation
import Logging
import MailComposer
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import ProgramSupport
import SMTPTransport
import ServiceLifecycle
import ServiceProcess
import UnixSignals

@main
struct OutboxdCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outboxd",
        abstract: "Sends the mails of an SQLite outbox through an SMTP relay, and records the results.",
        discussion: """
            Applications insert rows into the table `outbox`; outboxd renders, sends and retries them until the relay \
            has accepted them or their time is over. `outboxctl status` shows what happened to a mail.

            outboxd creates or upgrades its tables at start, but creates their file only if the configuration says so. \
            It runs in the foreground and logs to standard error. SIGTERM and SIGINT end it: transmissions may finish, \
            all other messages stay in the outbox. SIGHUP makes it read the configuration, templates, password files \
            and certificates again, all or none, and try relays that are down at once; the log names the changes that \
            need a restart.

            CACHE_DIRECTORY names the folder in which outboxd keeps a mark of its last commit; systemd sets it. If the \
            database is older than the mark, it was restored: its open messages are held until `outboxctl \
            accept-restored` says whether to send them.

            Exit codes: 0 after SIGTERM or SIGINT, 64 the command line is wrong, 69 the database can't be used, 75 its \
            file or folder is missing or closed to outboxd, or was replaced or restored under the running program, 78 \
            the configuration, a template or a password file is wrong.
            """,
        version: programVersion
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(
        name: .long,
        help: ArgumentHelp(
            "Check everything that the service depends on, then exit.",
            discussion: """
                Checks the configuration, templates, passwords, certificates and the database's folder. Run by root, \
                it checks as the user of the installed unit, with the unit's credentials and folders.
                """
        )
    )
    var check = false

    static func main() async {
        ProcessManners.settle()
        ProcessManners.rememberHangUp()
        await main(nil)
    }

    func run() async throws {
        try await reportingFailures {
            let environment = ProcessInfo.processInfo.environment
            if check {
                print(try ServiceCheck(options: options, environment: environment).run())
                return
            }
            try await serve(environment)
        }
    }

    private func serve(_ environment: [String: String]) async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        let loaded = try LoadedConfiguration(options, environment: environment)
        let threshold = LogThreshold(loaded.settings.logLevel)
        let logger = OperatorLog.makeLogger(threshold: threshold)
        let log = DeliveryLog(logger: logger)
        let store = try await openDatabase(loaded, environment, log: log, logger: logger)
        let current = CurrentConfiguration(loaded.delivery)
        let board = StatusBoard(manager: ServiceManager(environment: environment))
        let delivering = AsyncStream<Void>.makeStream()
        let templateCheck = TemplateCheck(logger: logger)
        templateCheck.check(loaded)
        let reload = ReloadService(
            signals: signals,
            delivering: delivering.stream,
            current: current,
            store: store,
            threshold: threshold,
            log: log,
            board: board,
            templateCheck: templateCheck,
            read: { [options] in try LoadedConfiguration(options, environment: environment) }
        )
        let delivery = DeliveryService(
            store: store,
            configuration: current,
            environment: .system,
            log: log,
            pulse: board.pulse,
            onReady: {
                board.ready()
                delivering.continuation.finish()
            }
        )
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(service: reload), .init(service: delivery), .init(service: StoppingNotice(board: board)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        // The log has already explained this.
        do { try await group.run() } catch is DatabaseLost { throw ExitCode(ExitStatus.temporary) }
    }

    private func openDatabase(
        _ loaded: LoadedConfiguration,
        _ environment: [String: String],
        log: DeliveryLog,
        logger: Logger
    ) async throws -> OutboxDatabase {
        let settings = loaded.settings
        let path = settings.database.path
        let store: OutboxDatabase
        let folder = CacheFolder.path(environment)
        let beginning: RunBeginning
        do {
            store = try OutboxDatabase(path: path, access: settings.database.create ? .migrating : .upgrading)
            beginning = try await store.beginRun(
                marks: folder,
                rules: loaded.delivery.settings.rules,
                clock: DeliveryEnvironment.system.now,
                onTrouble: log.markTrouble
            )
            try await store.setGuidance(settings.guidance)
        } catch let error as OutboxDatabaseError {
            throw ProgramFailure(error, databaseAt: path)
        }
        if !store.migration.versions.isEmpty {
            let versions = store.migration.versions.map(String.init).joined(separator: ", ")
            logger.notice("schema migrated", metadata: ["database": "\(store.path)", "versions": "\(versions)"])
        }
        for remark in store.fileRemarks { logger.warn(of: remark) }
        if folder == nil { log.noMarks() }
        log.began(beginning, database: store.path)
        return store
    }
}
