// What the connections of one server share. Makes nothing itself and has no behaviour but keeping a mail.

import NIOPosix
import NIOSSL

/// The shared parts of a server, handed to each of its connections.
struct ServerParts: Sendable {
    let options: FakeSMTPServer.Options
    let script: FaultScript
    let admission: Admission
    let ledger: Ledger
    let store: MailStore?
    let journal: LedgerJournal?
    /// Present unless TLS is off.
    let tlsContext: NIOSSLContext?
    let threadPool: NIOThreadPool
    let log: TrafficLog?

    /// Whether keeping a mail needs the disk.
    var keepsOnDisk: Bool { store != nil || journal != nil }

    /// Whether anyone will look at a mail's octets.
    var needsBytes: Bool { keepsOnDisk || options.retention == .everything }

    /// Puts a mail on disk, where that is wanted, and returns it with its file name. Blocks.
    func keep(_ mail: Ledger.Mail) throws -> Ledger.Mail {
        var mail = mail
        mail.file = try store?.write(mail.bytes, sequence: mail.sequence, recipient: mail.recipients.first ?? "")
        try journal?.append(mail)
        return mail
    }

    /// Remembers that a fault fired.
    func note(_ firing: Ledger.Firing) {
        do {
            // A short append to a local file, without waiting for the disk: not worth a thread.
            try journal?.append(firing)
        } catch {
            options.reportProblem("cannot write to the ledger file: \(error); is the disk full?")
        }
        ledger.noteFiring(firing)
        log?.note("fault fired: \(firing.fault)", connection: firing.connection)
    }
}
