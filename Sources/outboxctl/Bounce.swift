// outboxctl bounce.

import ArgumentParser
import DeliveryReports
import Foundation
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport
import ServiceProcess

struct Bounce: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take in a report of a mail system that a mail could not be delivered (RFC 3464).",
        discussion: """
            Reads the report from standard input, as a mail system's pipe transport gives it, and finds the message by \
            the address that the report was sent to (`sender.envelope_from` in the configuration), by the envelope id, \
            or by the Message-ID of the returned mail. A failure makes an accepted message `bounced` and puts its \
            address on the suppression list unless the address is not to blame; a delay is kept as a note.

            In Postfix's master.cf:
              bounce-in unix - n n - - pipe flags=R user=outboxd argv=/usr/local/bin/outboxctl bounce --to ${original_recipient}

            Exit codes: 0 taken in, 1 where it belongs to no message, 65 where it is no report, 75 where the database \
            can't be used now (a mail system tries again later), 78 for a wrong configuration.
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
            let report = try read()
            let template = settings.sender.envelopeFrom
            let ids = EnvelopeIDs(report, addressedTo: to, template: template).all
            guard !ids.isEmpty else {
                try end("the report belongs to no message: it names no envelope id of ours", code: .failure)
            }
            do {
                let database = try OutboxDatabase(path: settings.database.path, access: .writing)
                for id in ids {
                    guard let message = try await database.reported(envelopeID: id) else { continue }
                    try await take(report, of: message, settings.suppression.duration, into: database)
                    return
                }
            } catch let error as OutboxDatabaseError {
                // EX_TEMPFAIL of sysexits.h: a mail system keeps the report and tries again.
                try end(error.description, code: ExitCode(75))
            }
            try end("the report belongs to no message: no mail of ours has its envelope id", code: .failure)
        }
    }

    private func read() throws -> DeliveryStatusReport {
        do {
            return try DeliveryStatusReport(parsing: DeliveryStatusReport.read(from: .standardInput))
        } catch let error as ReportError {
            try end(error.description, code: ExitCode(ExitStatus.dataError))
        }
    }

    private func take(
        _ report: DeliveryStatusReport,
        of message: ReportedMessage,
        _ suppression: Duration,
        into database: OutboxDatabase
    ) async throws {
        let recipient = report.recipient(for: message.recipient)
        let reason = FailurePolicy.reason(ofReport: recipient.status, diagnostic: recipient.diagnostic)
        let isFailed = recipient.action == .failed
        let effect = try await database.record(
            DeliveryReportRecord(
                action: recipient.action.rawValue,
                receivedAt: .now,
                status: recipient.status?.description,
                reason: isFailed ? reason.rawValue : nil,
                reportingMTA: report.reportingMTA,
                detail: recipient.diagnostic
            ),
            envelopeID: message.envelopeID,
            suppressFor: isFailed && reason.isReasonToSuppressReported ? suppression : nil
        )
        guard let effect else { preconditionFailure("the message was found a moment ago") }
        if json {
            print(try JSONText.line(BounceAnswer(effect, action: recipient.action.rawValue)))
            return
        }
        let suppressed = effect.suppressedUntil.map { ", its address is not mailed until \($0.dayAndTime) UTC" } ?? ""
        let outcome = effect.hasBounced ? "bounced" : "stays \(effect.state)"
        print("message \(effect.messageID): reported as \(recipient.action.rawValue), \(outcome)\(suppressed)")
    }

    /// Ends the program with a reason.
    private func end(_ reason: String, code: ExitCode) throws -> Never {
        StandardError.write("outboxctl: \(reason)\n")
        throw code
    }
}

/// The envelope ids that a report may mean, the most trustworthy first.
private struct EnvelopeIDs {
    let all: [String]

    init(_ report: DeliveryStatusReport, addressedTo: String?, template: EnvelopeSenderTemplate?) {
        let addresses = [addressedTo].compactMap(\.self) + report.addressedTo
        let ofAddresses = addresses.compactMap { template?.envelopeID(in: $0) }
        // The Message-ID is the envelope id at the sender's domain.
        let ofMessageID = report.originalMessageID.flatMap { $0.split(separator: "@").first.map(String.init) }
        let others = [report.originalEnvelopeID, ofMessageID].compactMap { $0?.lowercased() }
        var seen: Set<String> = []
        all = (ofAddresses + others).filter { id in
            id.wholeMatch(of: /[a-z0-9]{1,64}/) != nil && seen.insert(id).inserted
        }
    }
}

extension DeliveryStatusReport {
    /// What is said of the address that the mail was sent to; a mail of ours has one recipient, but a system on its way
    /// may have sent it to others instead, of which a failed one counts first.
    fileprivate func recipient(for address: String) -> Recipient {
        let key = AddressKey(address)
        let named = recipients.first { recipient in
            [recipient.originalRecipient, recipient.finalRecipient].contains {
                $0.map { AddressKey($0) == key } ?? false
            }
        }
        guard let any = named ?? recipients.first(where: { $0.action == .failed }) ?? recipients.first else {
            preconditionFailure("a report has a recipient")
        }
        return any
    }
}

private struct BounceAnswer: Encodable {
    private let effect: ReportEffect
    private let action: String

    init(_ effect: ReportEffect, action: String) {
        self.effect = effect
        self.action = action
    }

    private enum CodingKeys: String, CodingKey {
        case id, action, state
        case hasBounced = "has_bounced"
        case suppressedUntil = "suppressed_until"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(effect.messageID, forKey: .id)
        try container.encode(action, forKey: .action)
        try container.encode(effect.state, forKey: .state)
        try container.encode(effect.hasBounced, forKey: .hasBounced)
        try container.encode(effect.suppressedUntil?.rfc3339, forKey: .suppressedUntil)
    }
}
