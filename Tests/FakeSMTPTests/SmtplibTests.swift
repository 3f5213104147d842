// Python's smtplib as a foreign client: ordinary mail, with TLS and AUTH.

import FakeSMTP
import Foundation
import TestSupport
import Testing

@Suite("Python's smtplib", .timeLimit(.minutes(10)))
struct SmtplibTests {
    /// argv: host, port, mode, CA file, user, password. Prints each refusal.
    private static let script = """
        import smtplib, ssl, sys
        host, port, mode, ca, user, password = sys.argv[1:7]
        context = ssl.create_default_context(cafile=ca) if ca else None
        try:
            if mode == 'implicit':
                client = smtplib.SMTP_SSL(host, int(port), context=context, timeout=30)
            else:
                client = smtplib.SMTP(host, int(port), timeout=30)
                if mode == 'starttls':
                    client.starttls(context=context)
            if user:
                client.login(user, password)
            body = b'Subject: hello\\r\\n\\r\\n.one dot\\r\\n..two\\r\\n.\\r\\nend\\r\\n'
            print(client.sendmail('sender@example.com', ['ann@example.com', 'bob@example.com'], body))
            client.quit()
        except smtplib.SMTPResponseException as error:
            print(error.smtp_code, error.smtp_error.decode())
        except smtplib.SMTPServerDisconnected as error:
            print('disconnected', error)
        except ssl.SSLError as error:
            print('ssl', error.reason, getattr(error, 'verify_message', ''))
        """
    private static let body = "Subject: hello\r\n\r\n.one dot\r\n..two\r\n.\r\nend\r\n"

    private func send(
        to server: FakeSMTPServer,
        host: String? = nil,
        user: String = "",
        password: String = "",
        tls: FakeSMTPServer.TLSMode = .none
    ) async throws -> String {
        try await withFolder { folder in
            let file = folder.appending(path: "ca.pem")
            if let pem = server.certificatePEM { try Data(pem.utf8).write(to: file) }
            let result = try await Program.python(
                Self.script,
                [
                    host ?? server.host, "\(server.port)", tls.rawValue, server.certificatePEM == nil ? "" : file.path,
                    user, password,
                ]
            )
            #expect(result.exitCode == 0, "\(result.errors)")
            return result.output
        }
    }

    @Test("sends a mail whose lines begin with dots")
    func plain() async throws {
        try await FakeSMTPServer.with { server in
            #expect(try await send(to: server) == "{}\n")
            let mail = try #require(try await server.ledger.waitForAccepted(count: 1).first)
            #expect(mail.text == Self.body)
            #expect(mail.recipients == ["ann@example.com", "bob@example.com"])
            #expect(mail.parameters == ["SIZE": "\(Self.body.utf8.count)"])
        }
    }

    @Test(
        "verifies the certificate and authenticates over TLS",
        arguments: [FakeSMTPServer.TLSMode.startTLS, .implicit],
        ["127.0.0.1", "::1", "localhost"]
    )
    func tls(mode: FakeSMTPServer.TLSMode, host: String) async throws {
        var options = FakeSMTPServer.Options(tls: mode, credentials: ["ann": "secret"])
        options.host = host
        options.requiresAuthentication = true
        try await FakeSMTPServer.with(options) { server in
            #expect(try await send(to: server, host: host, user: "ann", password: "secret", tls: mode) == "{}\n")
            let mail = try #require(try await server.ledger.waitForAccepted(count: 1).first)
            #expect(mail.isSecure)
            #expect(mail.user == "ann")
            #expect(mail.text == Self.body)
            // RFC 3207: EHLO again after STARTTLS, because the client must discard everything learned before it.
            #expect(server.ledger.commands["EHLO"] == (mode == .startTLS ? 2 : 1))
        }
    }

    @Test("is told 535 for a wrong password, after PLAIN and LOGIN")
    func wrongPassword() async throws {
        try await FakeSMTPServer.with(.init(credentials: ["ann": "secret"])) { server in
            let output = try await send(to: server, user: "ann", password: "wrong")
            #expect(output.hasPrefix("535 5.7.8"), "\(output)")
            #expect(server.ledger.commands["AUTH"] == 2)
        }
    }

    @Test(
        "refuses a certificate that is expired or for another host",
        arguments: [(LocalCertificate.Kind.expired, "expired"), (.otherHost, "not valid for")]
    )
    func badCertificate(kind: LocalCertificate.Kind, reason: String) async throws {
        var options = FakeSMTPServer.Options(tls: .startTLS)
        options.certificate = kind
        try await FakeSMTPServer.with(options) { server in
            let output = try await send(to: server, tls: .startTLS)
            #expect(output.contains(reason), "\(output)")
            #expect(server.ledger.acceptedCount == 0)
        }
    }

    @Test("sees a broken TLS handshake as one", arguments: [FakeSMTPServer.TLSMode.startTLS, .implicit])
    func brokenHandshake(mode: FakeSMTPServer.TLSMode) async throws {
        let fault: Fault = mode == .implicit ? "connect: break-tls" : "startTLS: break-tls"
        try await FakeSMTPServer.with(.init(tls: mode), faults: [fault]) { server in
            let output = try await send(to: server, tls: mode)
            #expect(output.contains("HANDSHAKE_FAILURE"), "\(output)")
            #expect(server.ledger.firingCount(of: fault) == 1)
        }
    }

    @Test(
        "over implicit TLS, connect faults come after the handshake",
        arguments: [
            (Fault("connect: reply 421 4.3.2"), "421 4.3.2"), ("connect: drop", "disconnected"),
            ("connect: delay 20ms", "{}"),
        ] as [(Fault, String)]
    )
    func implicitConnect(fault: Fault, expected: String) async throws {
        try await FakeSMTPServer.with(.init(tls: .implicit), faults: [fault]) { server in
            let output = try await send(to: server, tls: .implicit)
            #expect(output.hasPrefix(expected) || (fault.action == .drop && output.hasPrefix("ssl")), "\(output)")
            #expect(server.ledger.connections.map(\.isSecure) == [true])
        }
    }

    @Test("is refused by SIZE before it sends the mail")
    func size() async throws {
        var options = FakeSMTPServer.Options()
        options.maximumMessageSize = 20
        try await FakeSMTPServer.with(options) { server in
            let output = try await send(to: server)
            #expect(output.hasPrefix("552 5.3.4"), "\(output)")
            #expect(server.ledger.commands["DATA"] == nil)
        }
    }
}
