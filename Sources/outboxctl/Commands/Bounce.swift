// The command `bounce`: reads a returned mail. Never judges it (see ReportPolicy).

import ArgumentParser
import DeliveryReports
import Foundation
import InternetMessage
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport
import ServiceProcess

struct Bounce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Process a delivery status notification (bounce) from a mail system (RFC 3464).",
        discussion: """
            Reads the mail from standard input, as a mail system's pipe transport gives it, and finds the message by \
            the address that the report was sent to (`sender.envelope_from` in the configuration), by the envelope id, \
            by the Message-ID of the returned mail, or by the relay's own id. A failure makes an accepted message \
            `bounced`. Its address is suppressed only if the report says that the mailbox or the domain does not \
            exist, or is disabled. Delays, deliveries, complaints and automatic answers are kept as notes (`outboxctl \
            show`). `outboxctl suppression remove` undoes the suppression after a wrong report.

            In Postfix's master.cf:
              bounce-in unix - n n - - pipe flags=R user=outboxd argv=/usr/local/bin/outboxctl bounce --to ${original_recipient}

            Exit codes: 0 processed, or an automatic answer; 1 the report belongs to no message; 65 a person's mail; \
            75 the database can't be used now (a mail system tries again later); 78 the configuration is wrong.
            """
    )

    @Option(help: ArgumentHelp("The address that the report was sent to.", valueName: "address"))
    var to: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let mail = try read()
            do {
                let ids = CandidateIDs(mail.traces, addressedTo: to, template: settings.sender.envelopeFrom)
                let database = try OutboxDatabase(path: settings.database.path, access: .writing)
                guard let message = try await ids.message(in: database) else {
                    try belongsToNone(mail)
                    return
                }
                switch mail {
                case .report(let report):
                    try await take(report, of: message, settings.rules.suppression, into: database)
                case .automatic(let answer):
                    try await take(answer, of: message, into: database)
                }
            } catch let error as OutboxDatabaseError {
                // EX_TEMPFAIL of sysexits.h: the mail system keeps the report and tries again.
                try end(error.description, code: ExitCode(75))
            }
        }
    }

    private func read() throws -> ReturnedMail {
        do {
            return try ReturnedMail(parsing: ReturnedMail.read(from: .standardInput))
        } catch let error as ReportError {
            try end(error.description, code: ExitCode(ExitStatus.dataError))
        }
    }

    /// An automatic answer should not make the mail system report an error.
    private func belongsToNone(_ mail: ReturnedMail) throws {
        switch mail {
        case .report:
            try end("the report belongs to no message: no mail of ours has an id that it names", code: .failure)
        case .automatic:
            print(json ? "null" : "an automatic answer that belongs to no message")
        }
    }

    private func take(
        _ report: DeliveryStatusReport,
        of message: ReportedMessage,
        _ suppression: Duration,
        into database: OutboxDatabase
    ) async throws {
        let key = AddressKey(message.recipient)
        let finding = report.finding(for: message.recipient) { AddressKey($0) == key }
        let isDead = finding.action == .failed && finding.reason?.suppressesAddress == true
        try await record(
            DeliveryReportRecord(
                action: finding.action,
                receivedAt: .now,
                status: finding.status?.description,
                reason: finding.reason,
                reportingMTA: report.reportingMTA,
                detail: finding.detail
            ),
            of: message,
            suppressFor: isDead ? suppression : nil,
            into: database
        )
    }

    private func take(_ answer: AutomaticMail, of message: ReportedMessage, into database: OutboxDatabase) async throws
    {
        try await record(
            DeliveryReportRecord(action: answer.action, receivedAt: .now, detail: answer.subject),
            of: message,
            suppressFor: nil,
            into: database
        )
    }

    private func record(
        _ record: DeliveryReportRecord,
        of message: ReportedMessage,
        suppressFor: Duration?,
        into database: OutboxDatabase
    ) async throws {
        let effect = try await database.record(record, envelopeID: message.envelopeID, suppressFor: suppressFor)
        // Retention may have removed the message after it was found.
        guard let effect else { try end("the message was just removed", code: .failure) }
        if json {
            print(try JSONText.line(BounceAnswer(effect, record)))
            return
        }
        let reason = record.reason.map { " (\($0))" } ?? ""
        let suppressed = effect.suppressedUntil.map { ", its address is not mailed until \($0.dayAndTime) UTC" } ?? ""
        let outcome = effect.hasBounced ? "bounced" : "stays \(effect.state.rawValue)"
        print("message \(effect.messageID): reported as \(record.action.rawValue)\(reason), \(outcome)\(suppressed)")
    }

    /// Ends the program with an explanation.
    private func end(_ reason: String, code: ExitCode) throws -> Never {
        StandardError.write("outboxctl: \(reason)\n")
        throw code
    }
}

extension ReturnedMail {
    fileprivate var traces: MailTraces {
        switch self {
        case .report(let report): report.traces
        case .automatic(let answer): answer.traces
        }
    }
}

/// The envelope ids that a mail may refer to, the most trustworthy first.
private struct CandidateIDs {
    private let envelopeIDs: [String]
    private let relayIDs: [String]

    init(_ traces: MailTraces, addressedTo: String?, template: EnvelopeSenderTemplate?) {
        let addresses = [addressedTo].compactMap(\.self) + traces.addresses
        let ofAddresses = addresses.compactMap { template?.envelopeID(in: $0) }
        // A Message-ID is either the envelope id at the sender's domain, or the relay's own id at the relay's domain.
        let ofMessageIDs = traces.messageIDs.compactMap { $0.split(separator: "@").first.map(String.init) }
        let others = (traces.envelopeIDs + ofMessageIDs + traces.words).map { $0.lowercased() }
        var seen: Set<String> = []
        envelopeIDs = (ofAddresses + others).filter { id in
            id.wholeMatch(of: /[a-z0-9]{1,64}/) != nil && seen.insert(id).inserted
        }
        // Amazon SES gives its own return path the same id.
        relayIDs = ofMessageIDs + addresses.compactMap { $0.split(separator: "@").first.map(String.init) }
    }

    /// The message that has one of the ids.
    func message(in database: OutboxDatabase) async throws -> ReportedMessage? {
        for id in envelopeIDs {
            if let message = try await database.reported(envelopeID: id) { return message }
        }
        for id in relayIDs {
            if let message = try await database.reported(relayID: id) { return message }
        }
        return nil
    }
}

private struct BounceAnswer: Encodable {
    let id: Int64
    let action: ReportedAction
    let reason: StoredCode<FailureReason>?
    let state: MessageState
    let hasBounced: Bool
    let suppressedUntil: Timestamp?

    init(_ effect: ReportEffect, _ record: DeliveryReportRecord) {
        id = effect.messageID
        action = record.action
        reason = record.reason
        state = effect.state
        hasBounced = effect.hasBounced
        suppressedUntil = effect.suppressedUntil
    }

    private enum CodingKeys: String, CodingKey {
        case id, action, reason, state
        case hasBounced = "has_bounced"
        case suppressedUntil = "suppressed_until"
    }
}
