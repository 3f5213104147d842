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
import UnixSignals

@main
struct OutboxdCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outboxd",
        abstract: "Sends the mails of an SQLite outbox through an SMTP relay, and records what became of them.",
        discussion: """
            Applications insert rows into the table `outbox`; outboxd renders, sends and retries them until the relay \
            has accepted them or their time is over. Ask `outboxctl status` what became of a mail.

            outboxd creates or upgrades its tables at start, runs in the foreground and logs to standard error. \
            SIGTERM and SIGINT end it: what is being sent may finish, everything else stays in the outbox. SIGHUP makes it \
            read the relays' password files and certificates again and try relays that are down at once; everything \
            else in the configuration takes a restart.

            Exit codes: 0 after SIGTERM or SIGINT, 64 for a wrong command line, 69 where the database can't be used, \
            78 where the configuration, a template or a password file is wrong.
            """,
        version: programVersion
    )

    @OptionGroup var options: ConfigurationOptions

    @Flag(name: .long, help: "Check the configuration, the templates and the passwords, then exit.")
    var check = false

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let composer = try MailComposer(settings: settings)
            let environment = ProcessInfo.processInfo.environment
            let relays = try DeliveryRelay.all(settings, environment: environment)
            if check {
                print("\(options.path): the configuration and the templates are good")
                return
            }
            let logger = OperatorLog.makeLogger(level: settings.log.level)
            let store = try openDatabase(at: settings.database, logger: logger)
            try await store.setGuidance(Guidance(settings.guidance))
            let reload = ReloadService(logger: logger) { try DeliveryRelay.all(settings, environment: environment) }
            let service = DeliveryService(
                store: store,
                composer: composer,
                relays: relays,
                reloads: reload.relays,
                settings: DeliverySettings(settings),
                environment: .system,
                log: DeliveryLog(logger: logger)
            )
            let group = ServiceGroup(
                configuration: ServiceGroupConfiguration(
                    services: [.init(service: reload), .init(service: service)],
                    gracefulShutdownSignals: [.sigterm, .sigint],
                    logger: logger
                )
            )
            try await group.run()
        }
    }

    private func openDatabase(at path: String, logger: Logger) throws -> OutboxDatabase {
        let store = try OutboxDatabase(path: path, access: .migrating)
        if !store.appliedVersions.isEmpty {
            let versions = store.appliedVersions.map(String.init).joined(separator: ", ")
            logger.notice("schema migrated", metadata: ["database": "\(path)", "versions": "\(versions)"])
        }
        if store.isWorldReadable {
            logger.warning(
                "every user of this machine can read the database and the tokens in it; take that right away",
                metadata: ["database": "\(path)", "command": "chmod o= \(path)"]
            )
        }
        return store
    }
}
