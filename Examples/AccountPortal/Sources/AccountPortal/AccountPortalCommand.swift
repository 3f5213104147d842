// The command line of the portal: options in, a running server out.

import ArgumentParser
import Foundation
import GRDB
import Hummingbird
import Logging
import NIOCore
import OutboxClient
import ServiceLifecycle

@main
struct AccountPortalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account-portal",
        abstract: "Sign up, sign in and reset passwords, with mails through outboxd.",
        discussion: "The file must hold the outbox already: outboxctl migrate makes it. README.md has the rest."
    )

    @Option(help: "The SQLite file that holds the outbox; the portal adds its own tables.")
    var database: String

    @Option(help: "The check key's file, which outboxctl new-key wrote; may be given several times during a rotation.")
    var checkKey: [String]

    @Option(help: "The TCP port to listen on, on 127.0.0.1; 0 takes a free one.")
    var port = 8080

    @Option(help: "Writes the port to this file once the server listens.")
    var portFile: String?

    @Option(help: "The address that people use; with https, cookies are sent over https only. Default: localhost.")
    var url: String?

    @Option(help: "sender.name of outboxd's configuration: which mail people should look for.")
    var senderName: String

    @Option(help: "sender.address of outboxd's configuration.")
    var senderAddress: String

    @Option(help: "guidance.patience of outboxd's configuration, in seconds.")
    var patience = 300

    @Flag(help: .hidden)
    var withoutThrottle = false

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port must be from 0 to 65535.") }
        guard (10...3600).contains(patience) else { throw ValidationError("--patience must be from 10 to 3600.") }
        if let url {
            guard let scheme = URL(string: url)?.scheme, ["http", "https"].contains(scheme) else {
                throw ValidationError("--url must begin with https:// (or http:// on this machine).")
            }
        }
    }

    func run() async throws {
        let keys = try checkKey.map { try CheckKey(base64: String(contentsOfFile: $0, encoding: .utf8)) }
        let accounts = Accounts(
            database: try Self.open(database),
            throttle: Throttle(isOn: !withoutThrottle),
            checkKeys: keys
        )
        let passwords = try Passwords()
        let portal = Portal(
            accounts: accounts,
            passwords: passwords,
            cookies: CookieJar(isSecure: url?.hasPrefix("https://") ?? false),
            layout: Layout(product: senderName),
            sender: "\(senderName) <\(senderAddress)>",
            patience: Double(patience),
            carrying: RequestCarrier(accounts: accounts)
        )
        let (portFile, announcing) = (portFile, url)
        var logger = Logger(label: "account-portal")
        logger.logLevel = .notice
        let application = Application(
            router: portal.router(),
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            services: [portal.carrying],
            onServerRunning: { channel in
                guard let port = channel.localAddress?.port else { return }
                print("listening at \(announcing ?? "http://localhost:\(port)")")
                if let portFile { Self.write(port, to: portFile) }
            },
            logger: logger
        )
        try await application.runService()
        try await passwords.stop()
    }

    private static func open(_ path: String) throws -> DatabasePool {
        guard FileManager.default.fileExists(atPath: path) else {
            throw ValidationError("\(path) does not exist; outboxctl migrate makes it.")
        }
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        configuration.foreignKeysEnabled = false
        // Passwords' hashes and tokens leave no copies in the free pages of the file.
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA secure_delete = ON") }
        let pool = try DatabasePool(path: path, configuration: configuration)
        let hasOutbox = try pool.read { try $0.tableExists("outbox") }
        guard hasOutbox else { throw ValidationError("\(path) holds no outbox; outboxctl migrate adds it.") }
        try PortalSchema.migrate(pool)
        return pool
    }

    /// Whoever reads the file finds a whole number: it appears complete.
    private static func write(_ port: Int, to path: String) {
        do { try "\(port)\n".write(toFile: path, atomically: true, encoding: .utf8) } catch {
            FileHandle.standardError.write(Data("account-portal: can't write \(path): \(error)\n".utf8))
        }
    }
}
