// Appends one JSON object per line, for programs in other languages. Ledger is the record in memory.

import Foundation
import Synchronization

/// A file of JSON lines: `"event":"mail"` for each accepted mail, `"event":"fault"` for each fault that fired. Times
/// are milliseconds since the Unix epoch.
final class LedgerJournal: Sendable {
    private struct MailLine: Encodable {
        let event = "mail"
        let sequence: Int
        let queueID: String
        let connection: Int
        let mailFrom: String
        let parameters: [String: String]
        let recipients: [String]
        let recipientParameters: [[String: String]]
        let size: Int
        let acceptedAt: Int64
        let tls: Bool
        let user: String?
        let answered: Bool
        let file: String?
    }

    private struct FaultLine: Encodable {
        let event = "fault"
        let fault: String
        let stage: String
        let connection: Int
        let firedAt: Int64
    }

    private let file: Mutex<FileHandle>

    /// Opens the file for appending; creates it if it is missing.
    init(appendingTo url: URL) throws {
        if !FileManager.default.fileExists(atPath: url.path) {
            try Data().write(to: url, options: .withoutOverwriting)
        }
        let handle = try FileHandle(forWritingTo: url)
        try handle.seekToEnd()
        file = Mutex(handle)
    }

    /// Appends an accepted mail; its octets are not part of the line.
    func append(_ mail: Ledger.Mail) throws {
        try append(
            MailLine(
                sequence: mail.sequence,
                queueID: mail.queueID,
                connection: mail.connection,
                mailFrom: mail.mailFrom,
                parameters: mail.parameters,
                recipients: mail.recipients,
                recipientParameters: mail.recipientParameters,
                size: mail.bytes.count,
                acceptedAt: mail.acceptedAt.millisecondsSinceEpoch,
                tls: mail.isSecure,
                user: mail.user,
                answered: mail.isAnswered,
                file: mail.file
            )
        )
    }

    /// Appends a fault that fired.
    func append(_ firing: Ledger.Firing) throws {
        try append(
            FaultLine(
                fault: firing.fault.description,
                stage: firing.fault.stage.rawValue,
                connection: firing.connection,
                firedAt: firing.firedAt.millisecondsSinceEpoch
            )
        )
    }

    private func append(_ line: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var data = try encoder.encode(line)
        data.append(UInt8(ascii: "\n"))
        try file.withLock { try $0.write(contentsOf: data) }
    }
}

extension Date {
    fileprivate var millisecondsSinceEpoch: Int64 { Int64((timeIntervalSince1970 * 1_000).rounded()) }
}
