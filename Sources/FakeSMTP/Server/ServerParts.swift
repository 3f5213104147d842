// The parts that the connections of one server share. Creates nothing, and only stores mail.

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

    /// Whether storing a mail needs the disk.
    var keepsOnDisk: Bool { store != nil || journal != nil }

    /// Whether a mail's octets are needed later.
    var needsBytes: Bool { keepsOnDisk || options.retention == .everything }

    /// Writes a mail to disk if configured, and returns it with its file name. Blocks.
    func keep(_ mail: Ledger.Mail) throws -> Ledger.Mail {
        var mail = mail
        mail.file = try store?.write(mail.bytes, sequence: mail.sequence, recipient: mail.recipients.first ?? "")
        try journal?.append(mail)
        return mail
    }

    /// Records that a fault fired.
    func note(_ firing: Ledger.Firing) {
        do {
            // A short append to a local file, without a sync, doesn't justify a thread.
            try journal?.append(firing)
        } catch {
            options.reportProblem("cannot write to the ledger file: \(error); is the disk full?")
        }
        ledger.noteFiring(firing)
        log?.note("fault fired: \(firing.fault)", connection: firing.connection)
    }
}
