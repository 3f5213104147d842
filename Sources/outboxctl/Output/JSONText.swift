// Formats answers as JSON: records with their column names, times in RFC 3339. Never formats text for people.

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
}

/// The answer of `status`.
struct StatusAnswer: Encodable {
    let recipient: String?
    let messages: [MessageAnswer]

    init(recipient: String?, messages: [StatusRecord]) {
        self.recipient = recipient
        self.messages = messages.map { MessageAnswer($0) }
    }
}

/// A message with the advice's sentences; with its history for `show`.
struct MessageAnswer: Encodable {
    /// The fields that `show` adds.
    struct History: Encodable {
        let history: [AttemptRecord]
        let reports: [DeliveryReportRecord]
        let suppression: Suppression?
    }

    private let message: StatusRecord
    private let history: History?

    init(_ message: StatusRecord, history: History? = nil) {
        self.message = message
        self.history = history
    }

    private enum CodingKeys: String, CodingKey { case adviceText = "advice_text" }

    func encode(to encoder: any Encoder) throws {
        try message.encode(to: encoder)
        try history?.encode(to: encoder)
        let texts = Advice.Language.allCases.map { language in
            (language.rawValue, Advice.sentences(for: message.advice, in: language))
        }
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(Dictionary(uniqueKeysWithValues: texts), forKey: .adviceText)
    }
}
