// The built program fake-smtp: its files, output, exit codes, and the examples of its help.

import Foundation
import TestSupport
import Testing

@Suite("The program fake-smtp", .timeLimit(.minutes(10)))
struct ProgramTests {
    private static let script = """
        import smtplib, sys
        client = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), timeout=30)
        try:
            print(client.sendmail('a@example.com', ['ann@example.com'], b'Subject: x\\r\\n\\r\\n.\\r\\n'))
        except smtplib.SMTPRecipientsRefused as error:
            print(error.recipients)
        print(client.sendmail('a@example.com', ['ann@example.com'], b'Subject: x\\r\\n\\r\\n.\\r\\n'))
        client.quit()
        """

    private func start(_ arguments: [String], in folder: URL) throws -> Program {
        try Program(try Program.buildFolder.appending(path: "fake-smtp"), arguments, in: folder)
    }

    /// Runs the program with invalid arguments to its end.
    private func refusal(_ arguments: [String]) async throws -> ProgramResult {
        try await withFolder { try await start(arguments, in: $0).result() }
    }

    @Test("serves until SIGTERM, leaves its files, and ends with a summary and exit code 0")
    func serves() async throws {
        try await withFolder { folder in
            let program = try start(
                [
                    "--port", "0", "--port-file", "port", "--store", "mails", "--ledger", "ledger.jsonl", "--log",
                    "--fault", "rcpt: reply 450 4.2.1 \"Mailbox busy\" first 1",
                ],
                in: folder
            )
            let port = try await contents(of: folder.appending(path: "port"))
            let client = try await Program.python(Self.script, [port])
            #expect(client.output == "{'ann@example.com': (450, b'4.2.1 Mailbox busy')}\n{}\n", "\(client.errors)")
            program.terminate()
            let result = try await program.result()
            #expect(result.exitCode == 0)
            #expect(
                result.output == """
                    fake-smtp listens on 127.0.0.1:\(port)
                    fake-smtp: 1 connection, 1 mail accepted, 1 fault fired

                    """
            )
            #expect(result.errors.contains("[1] C: mail FROM:<a@example.com>"))
            #expect(result.errors.contains("[1] S: 450 4.2.1 Mailbox busy"))
            let mail = folder.appending(path: "mails/000001-ann@example.com.eml")
            #expect(try Data(contentsOf: mail) == Data("Subject: x\r\n\r\n.\r\n".utf8))
            let ledger = try String(contentsOf: folder.appending(path: "ledger.jsonl"), encoding: .utf8)
            let events = try ledger.split(separator: "\n").map { line in
                try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            }
            #expect(events.map { $0["event"] as? String } == ["fault", "mail"])
            #expect(events.last?["recipients"] as? [String] == ["ann@example.com"])
        }
    }

    @Test("SIGINT ends it too, and TLS leaves a certificate to trust")
    func certificate() async throws {
        try await withFolder { folder in
            try Data("secret\n".utf8).write(to: folder.appending(path: "password.txt"))
            let program = try start(
                [
                    "--port", "0", "--host", "::1", "--port-file", "port", "--tls", "starttls", "--certificate-file",
                    "ca.pem",
                    "--user", "app", "--password-file", "password.txt", "--require-auth",
                ],
                in: folder
            )
            let port = try await contents(of: folder.appending(path: "port"))
            let script = """
                import smtplib, ssl, sys
                client = smtplib.SMTP('::1', int(sys.argv[1]), timeout=30)
                client.starttls(context=ssl.create_default_context(cafile=sys.argv[2]))
                print(client.login('app', 'secret')[0])
                client.quit()
                """
            let client = try await Program.python(script, [port, folder.appending(path: "ca.pem").path])
            #expect(client.output == "235\n", "\(client.errors)")
            program.interrupt()
            let result = try await program.result()
            #expect(result.exitCode == 0)
            #expect(result.output.hasPrefix("fake-smtp listens on [::1]:\(port)\n"))
            #expect(result.output.hasSuffix("fake-smtp: 1 connection, 0 mails accepted, 0 faults fired\n"))
        }
    }

    @Test(
        "refuses wrong arguments and says what to do",
        arguments: [
            (["--fault", "rcpt: repyl 450"], "unknown action 'repyl'; expected reply, raw, drop"),
            (["--host", "0.0.0.0"], "use 127.0.0.1, ::1 or localhost"),
            (["--port", "70000"], "give a number from 0 to 65535"),
            (["--user", "app"], "--user and --password-file belong together"),
            (["--require-auth"], "--require-auth needs --user"),
            (["--certificate-file", "ca.pem"], "need --tls starttls or --tls implicit"),
            (["--user", "app", "--password-file", "/nowhere"], "cannot read --password-file /nowhere"),
            (["--reply-delay", "10"], "'10' is not a time; expected"),
            (["--messages-per-connection", "0"], "whole numbers from 1"),
            (["--idle-silently"], "--idle-silently needs --idle-timeout"),
            (["--port", "0", "--port-file", "/nowhere/port"], "cannot write --port-file /nowhere/port"),
        ]
    )
    func refuses(arguments: [String], message: String) async throws {
        let result = try await refusal(arguments)
        #expect(result.exitCode != 0)
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(result.output == "")
    }

    @Test("every example of the help text is a command line that it takes")
    func examples() async throws {
        let help = try await refusal(["--help"])
        #expect(help.exitCode == 0)
        let lines = help.output.split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.count > 80 } == [])
        let examples = lines.map { $0.trimmingCharacters(in: .whitespaces) }.filter { $0.hasPrefix("fake-smtp --") }
        #expect(examples.count >= 8)
        for example in examples {
            try await withFolder { folder in
                try Data("secret\n".utf8).write(to: folder.appending(path: "password.txt"))
                let command = "exec \"$0\"\(example.dropFirst("fake-smtp".count)) --port 0 --port-file started"
                let binary = try Program.buildFolder.appending(path: "fake-smtp").path
                let program = try Program(URL(filePath: "/bin/sh"), ["-c", command, binary], in: folder)
                _ = try await contents(of: folder.appending(path: "started"))
                program.terminate()
                let result = try await program.result()
                #expect(result.exitCode == 0, "\(example): \(result.errors)")
            }
        }
    }
}
