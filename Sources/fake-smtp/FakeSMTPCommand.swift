// The command line of fake-smtp: arguments in, a running server, a summary out. FakeSMTP implements the server.

import ArgumentParser
import FakeSMTP
import Foundation
import ServiceProcess

@main
struct FakeSMTPCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fake-smtp",
        abstract: "A scriptable SMTP server on loopback, for tests of programs that send mail.",
        discussion: HelpText.discussion
    )

    @Option(help: ArgumentHelp("The TCP port to listen on; 0 takes a free one.", valueName: "number"))
    var port = 2525

    @Option(
        help: ArgumentHelp("The address to listen on: 127.0.0.1, ::1 or localhost. No other.", valueName: "address")
    )
    var host = "127.0.0.1"

    @Option(help: ArgumentHelp("Writes the port to this file once the server listens.", valueName: "file"))
    var portFile: String?

    @Option(
        help: ArgumentHelp(
            "Stores each accepted mail in this folder, as 000001-ann@example.com.eml.",
            valueName: "folder"
        )
    )
    var store: String?

    @Option(
        help: ArgumentHelp(
            "Appends a JSON line to this file for each accepted mail and each fired fault.",
            valueName: "file"
        )
    )
    var ledger: String?

    @Flag(help: "Writes a line to standard error for each command and reply; passwords are redacted.")
    var log = false

    @OptionGroup(title: "TLS and authentication")
    var security: SecurityOptions

    @OptionGroup(title: "Faults and limits")
    var behaviour: BehaviourOptions

    static func main() async {
        ProcessManners.settle()
        await main(nil)
    }

    func validate() throws {
        guard (0...65_535).contains(port) else {
            throw ValidationError("--port \(port) is not a TCP port; give a number from 0 to 65535.")
        }
    }

    func run() async throws {
        let signals = TerminationSignals()
        let options = try serverOptions()
        let server: FakeSMTPServer
        do {
            server = try await FakeSMTPServer.start(options)
        } catch {
            throw ProgramError("cannot start: \(error)")
        }
        server.setFaults(behaviour.faults)
        try security.writeCertificate(server.certificatePEM)
        if let portFile {
            try OutputFile.write("\(server.port)\n", to: portFile, option: "--port-file")
        }
        let host = server.host.contains(":") ? "[\(server.host)]" : server.host
        // The program must not fail because nobody reads the summary.
        try? FileHandle.standardOutput.write(contentsOf: Data("fake-smtp listens on \(host):\(server.port)\n".utf8))

        await signals.first()
        await server.stop()
        try? FileHandle.standardOutput.write(contentsOf: Data((summary(of: server) + "\n").utf8))
    }

    private func serverOptions() throws -> FakeSMTPServer.Options {
        var options = FakeSMTPServer.Options(
            tls: security.tls,
            credentials: try security.credentials(),
            store: store.map { URL(filePath: $0) }
        )
        options.host = host
        options.port = port
        options.journal = ledger.map { URL(filePath: $0) }
        options.retention = .counts
        security.apply(to: &options)
        behaviour.apply(to: &options)
        if log {
            options.log = { StandardError.write("\($0)\n") }
        }
        return options
    }

    private func summary(of server: FakeSMTPServer) -> String {
        let ledger = server.ledger
        return "fake-smtp: \(count(ledger.connectionCount, "connection")), "
            + "\(count(ledger.acceptedCount, "mail")) accepted, \(count(ledger.firingCount, "fault")) fired"
    }

    private func count(_ number: Int, _ noun: String) -> String {
        number == 1 ? "1 \(noun)" : "\(number) \(noun)s"
    }
}
