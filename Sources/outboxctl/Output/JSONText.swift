// The answers as JSON: names in snake_case as the view's columns, times in RFC 3339. Never prints for people.

import Foundation
import OutboxCore
import OutboxStore

enum JSONText {
    /// One value on one line.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A JSON object of strings.
    static func object(_ members: [String: String]) throws -> String { try line(members) }
}

/// The answer of `status`.
struct StatusAnswer: Encodable {
    let recipient: String?
    let messages: [MessageAnswer]

    init(recipient: String?, messages: [StatusRecord]) {
        self.recipient = recipient
        self.messages = messages.map { MessageAnswer($0) }
    }

    private enum CodingKeys: String, CodingKey { case recipient, messages }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(recipient, forKey: .recipient)
        try container.encode(messages, forKey: .messages)
    }
}

/// A message with the view's column names and the advice's sentences; with attempts and reports for `show`. What has no
/// value is `null`, never left out.
struct MessageAnswer: Encodable {
    private let message: StatusRecord
    private let history: [AttemptRecord]?
    private let reports: [DeliveryReportRecord]?
    private let suppression: Suppression?

    init(
        _ message: StatusRecord,
        history: [AttemptRecord]? = nil,
        reports: [DeliveryReportRecord]? = nil,
        suppression: Suppression? = nil
    ) {
        self.message = message
        self.history = history
        self.reports = reports
        self.suppression = suppression
    }

    private enum CodingKeys: String, CodingKey {
        case id, kind, recipient, account, state, detail, advice, attempts, history, reports, suppression
        case requestedAt = "requested_at"
        case acceptedAt = "accepted_at"
        case finishedAt = "finished_at"
        case expiresAt = "expires_at"
        case nextAttemptAt = "next_attempt_at"
        case waitingFor = "waiting_for"
        case mayArriveTwice = "may_arrive_twice"
        case adviceAt = "advice_at"
        case adviceText = "advice_text"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(message.id, forKey: .id)
        try container.encode(message.kind, forKey: .kind)
        try container.encode(message.recipient, forKey: .recipient)
        try container.encode(message.account, forKey: .account)
        try container.encode(message.state, forKey: .state)
        try container.encode(message.requestedAt.rfc3339, forKey: .requestedAt)
        try container.encode(message.acceptedAt?.rfc3339, forKey: .acceptedAt)
        try container.encode(message.finishedAt?.rfc3339, forKey: .finishedAt)
        try container.encode(message.expiresAt?.rfc3339, forKey: .expiresAt)
        try container.encode(message.nextAttemptAt?.rfc3339, forKey: .nextAttemptAt)
        try container.encode(message.attempts, forKey: .attempts)
        try container.encode(message.waitingFor, forKey: .waitingFor)
        try container.encode(message.detail, forKey: .detail)
        try container.encode(message.mayArriveTwice, forKey: .mayArriveTwice)
        try container.encode(message.advice, forKey: .advice)
        try container.encode(message.adviceAt?.rfc3339, forKey: .adviceAt)
        let texts = Advice.Language.allCases.map { language in
            (language.rawValue, Advice.sentences(for: message.advice, in: language))
        }
        try container.encode(Dictionary(uniqueKeysWithValues: texts), forKey: .adviceText)
        if let history { try container.encode(history.map(AttemptAnswer.init), forKey: .history) }
        if let reports {
            try container.encode(reports.map(ReportAnswer.init), forKey: .reports)
            try container.encode(suppression.map(SuppressionAnswer.init), forKey: .suppression)
        }
    }
}

private struct AttemptAnswer: Encodable {
    private let attempt: AttemptRecord

    init(_ attempt: AttemptRecord) { self.attempt = attempt }

    private enum CodingKeys: String, CodingKey {
        case attempt, outcome, relay, stage, fault, reason, counts, detail
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case replyCode = "reply_code"
        case enhancedStatus = "enhanced_status"
        case queueID = "queue_id"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(attempt.attempt, forKey: .attempt)
        try container.encode(attempt.startedAt.rfc3339, forKey: .startedAt)
        try container.encode(attempt.finishedAt?.rfc3339, forKey: .finishedAt)
        try container.encode(attempt.outcome, forKey: .outcome)
        try container.encode(attempt.relay, forKey: .relay)
        try container.encode(attempt.stage, forKey: .stage)
        try container.encode(attempt.fault, forKey: .fault)
        try container.encode(attempt.reason, forKey: .reason)
        try container.encode(attempt.counts, forKey: .counts)
        try container.encode(attempt.replyCode, forKey: .replyCode)
        try container.encode(attempt.enhancedStatus, forKey: .enhancedStatus)
        try container.encode(attempt.detail, forKey: .detail)
        try container.encode(attempt.queueID, forKey: .queueID)
    }
}

private struct ReportAnswer: Encodable {
    private let report: DeliveryReportRecord

    init(_ report: DeliveryReportRecord) { self.report = report }

    private enum CodingKeys: String, CodingKey {
        case action, status, reason, detail
        case receivedAt = "received_at"
        case reportingMTA = "reporting_mta"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(report.action, forKey: .action)
        try container.encode(report.receivedAt.rfc3339, forKey: .receivedAt)
        try container.encode(report.status, forKey: .status)
        try container.encode(report.reason, forKey: .reason)
        try container.encode(report.reportingMTA, forKey: .reportingMTA)
        try container.encode(report.detail, forKey: .detail)
    }
}
