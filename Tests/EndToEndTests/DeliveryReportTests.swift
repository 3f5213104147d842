// Reports on a mail's way: what outboxd requests from the relay, and what a report changes for the person who waits.

import Foundation
import TestSupport
import Testing

@Suite("Delivery reports", .timeLimit(.minutes(10)))
struct DeliveryReportTests {
    private static let envelopeSender = #", envelope_from: "bounces+{id}@example.com""#

    /// Sends one mail, and lets `body` look at what came of it.
    private func withMail(
        relay: String = "",
        sender: String = envelopeSender,
        faults: [String] = [],
        _ body: (Installation, _ mail: [String: Any], _ envelopeID: String) async throws -> Void
    ) async throws -> String {
        try await withInstallation { installation in
            let arguments = ["--port", "0", "--port-file", "port", "--ledger", "ledger.jsonl"]
            let server = try installation.start("fake-smtp", arguments + faults.flatMap { ["--fault", $0] })
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, relay: relay, sender: sender)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let address = "ann+news@example.com"
            #expect(
                try await installation.outboxctl("enqueue", "verify-email", address, input: "s3cret").exitCode == 0
            )
            let daemon = try installation.start("outboxd")
            try await installation.waitUntil("SELECT state = 'accepted' FROM outbox_status")
            daemon.terminate()
            let log = try await daemon.result().errors
            server.terminate()
            #expect(try await server.result().exitCode == 0)
            let lines = try String(contentsOf: installation.folder.appending(path: "ledger.jsonl"), encoding: .utf8)
            let mail = try #require(lines.split(separator: "\n").first { $0.contains(#""event":"mail""#) })
            let found = try JSONSerialization.jsonObject(with: Data(mail.utf8)) as? [String: Any]
            let id = try await installation.python(
                "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT envelope_id FROM outbox_state').fetchone(), end='')"
            )
            try await body(installation, try #require(found), id.output)
            return log
        }
    }

    private func parameters(_ mail: [String: Any]) throws -> (mail: [String: String], recipient: [String: String]) {
        let ofMail = try #require(mail["parameters"] as? [String: String])
        let ofRecipients = try #require(mail["recipientParameters"] as? [[String: String]])
        return (ofMail.filter { $0.key != "SIZE" }, try #require(ofRecipients.first))
    }

    @Test("reports are requested only where they have a place to go")
    func requests() async throws {
        _ = try await withMail { _, mail, id in
            let (ofMail, ofRecipient) = try parameters(mail)
            #expect(ofMail == ["ENVID": id, "RET": "HDRS"])
            #expect(ofRecipient == ["NOTIFY": "FAILURE,DELAY", "ORCPT": "rfc822;ann+2Bnews@example.com"])
        }
        _ = try await withMail(relay: ", dsn: success") { _, mail, _ in
            let (_, ofRecipient) = try parameters(mail)
            #expect(ofRecipient["NOTIFY"] == "SUCCESS,FAILURE,DELAY")
        }
        _ = try await withMail(relay: ", dsn: success", sender: "") { _, mail, _ in
            let (ofMail, ofRecipient) = try parameters(mail)
            #expect(ofMail.isEmpty && ofRecipient.isEmpty)
        }
    }

    @Test("a relay that refuses to be asked for reports gets the mail, and the log names the setting")
    func refused() async throws {
        let fault = #"rcpt: reply 501 5.5.4 "Error: Bad NOTIFY parameter syntax for ann+news@example.com" nth 1"#
        let log = try await withMail(faults: [fault]) { installation, mail, _ in
            let (ofMail, ofRecipient) = try parameters(mail)
            #expect(ofMail.isEmpty && ofRecipient.isEmpty)
            let attempts = try await installation.python(
                "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT outcome FROM outbox_attempt').fetchall())"
            )
            #expect(attempts.output == "('accepted',)\n")
        }
        let line = try #require(log.split(separator: "\n").first { $0.contains("refuses to be asked") })
        #expect(line.contains(#"setting="relays[0]: dsn""#) && line.contains("reply.code=501"))
        #expect(!line.contains("ann"))
    }

    private func report(_ action: String, _ envelopeID: String) -> String {
        """
        From: MAILER-DAEMON@mail.example.org
        Return-Path: <>
        Content-Type: multipart/report; report-type=delivery-status; boundary="b"

        --b
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mail.example.org
        Original-Envelope-Id: \(envelopeID)

        Final-Recipient: rfc822; ann@example.org
        Action: \(action)
        Status: 2.0.0

        --b--
        """
    }

    @Test("a report's envelope id finds the message, and the status says what was reported", arguments: ["ID", "<ID>"])
    func reported(form: String) async throws {
        _ = try await withMail { installation, _, id in
            func bounce(_ action: String) async throws {
                let text = report(action, form.replacing("ID", with: id))
                let result = try await installation.outboxctl("bounce", input: text)
                #expect(result.exitCode == 0, "\(result.errors)")
            }
            func status() async throws -> String { try await installation.outboxctl("status", "1").output }
            try await bounce("relayed")
            #expect(try await status().contains("advice     wait"))
            #expect(try await status().contains("delivered") == false)
            try await bounce("delayed")
            let delayed = try await status()
            #expect(delayed.contains("delayed    reported") && delayed.contains("advice     delivery-delayed (since"))
            try await bounce("delivered")
            let delivered = try await status()
            #expect(delivered.contains("delivered  reported") && delivered.contains("advice     check-junk (since"))
            let unknown = try await installation.outboxctl("bounce", input: report("delivered", "0\(id)"))
            #expect(unknown.exitCode == 1)
        }
    }
}
