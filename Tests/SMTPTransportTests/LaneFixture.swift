// A lane to a scriptable server, and the mail the tests send through it.

import FakeSMTP
import Foundation
import OutboxCore
import SMTPTransport
import TestSupport

extension Fault {
    /// A test in which the client must give up.
    fileprivate var outlastsClient: Bool {
        switch action {
        case .hang: true
        case .delay(let duration): duration >= .seconds(1)
        case .reply, .raw, .drop, .reset, .garbled, .acceptDrop, .breakTLS: false
        }
    }
}

extension SMTPRelay {
    /// The relay for a server. A limit is short only where a fault must hit it, because a busy machine is slow, too.
    init(_ server: FakeSMTPServer, tls: TLSPolicy = .none, scheme: String = "smtp", host: String? = nil) {
        let stages = server.faults.filter(\.outlastsClient).map(\.stage)
        func limit(_ limited: [Fault.Stage]) -> Duration {
            stages.contains(where: limited.contains) ? .seconds(15) : .seconds(60)
        }
        let opening: [Fault.Stage] = [.connect, .ehlo, .startTLS, .auth]
        var configuration = RelayConfiguration(
            name: "fake",
            url: "\(scheme)://\(host ?? server.host):\(server.port)",
            tls: tls
        )
        configuration.connectTimeout = limit(opening)
        configuration.replyTimeout = limit(opening + [.mail, .rcpt, .data, .body])
        // The kernel takes a small mail as a whole, so a relay that stalls in its middle is noticed at the end.
        configuration.finalDotTimeout = limit([.body, .finalDot])
        self.init(configuration)
    }

    /// The same relay with one change.
    func with(_ change: (inout SMTPRelay) throws -> Void) rethrows -> SMTPRelay {
        var relay = self
        try change(&relay)
        return relay
    }
}

extension OutgoingMail {
    /// A small mail.
    static func sample(to recipient: String = "ann@example.com", body: String = "Hello\r\n") -> OutgoingMail {
        OutgoingMail(
            envelopeSender: "no-reply@example.com",
            recipient: recipient,
            content: Array("Subject: test\r\n\r\n\(body)".utf8)
        )
    }
}

extension TransmissionResult {
    var failure: TransmissionFailure? {
        switch self {
        case .accepted, .withheld: nil
        case .failed(let failure): failure
        }
    }

    var isAccepted: Bool { if case .accepted = self { true } else { false } }
}

/// Writes a server's certificate authority to a file for libcurl, for as long as `body` runs.
func withCAFile<Result>(of server: FakeSMTPServer, _ body: (String) async throws -> Result) async throws -> Result {
    try await withFolder { folder in
        let file = folder.appending(path: "ca.pem")
        try (server.certificatePEM ?? "").write(to: file, atomically: true, encoding: .utf8)
        return try await body(file.path)
    }
}
