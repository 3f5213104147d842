// One row of the failure policy's table: its condition, as data that can be printed. Never holds an exception.

import InternetMessage

/// A row of the table that judges failures.
package struct FailureRule: Sendable {
    /// The condition of a rule.
    package enum Condition: Sendable {
        /// A failure without a refusing reply, by its kind.
        case kind(TransmissionCause.Kind)
        /// A refusing reply that has one of the codes, one of the status codes and one of the word patterns, where any
        /// are given, and none of the patterns in `unless`.
        case reply(
            codes: [ReplyCodePattern],
            status: [EnhancedStatusPattern],
            words: [WordPattern],
            unless: [WordPattern]
        )
        /// Every failure that the earlier rules don't match.
        case anything

        static func reply(
            _ codes: ReplyCodePattern...,
            status: EnhancedStatusPattern...,
            words: WordPattern...,
            unless: [WordPattern] = []
        ) -> Condition {
            .reply(codes: codes, status: status, words: words, unless: unless)
        }
    }

    /// The condition of the rule.
    package let condition: Condition
    /// The stages at which the rule applies; empty means all.
    package let stages: [SMTPStage]
    /// Whose fault it is.
    package let fault: Verdict.Fault
    /// Whether to try again.
    package let disposition: Verdict.Disposition
    /// Why the attempt failed.
    package let reason: FailureReason
    /// How long to leave the relay alone, where the words say so.
    package let pause: Duration?

    init(
        _ condition: Condition,
        at stages: [SMTPStage] = [],
        _ fault: Verdict.Fault,
        _ disposition: Verdict.Disposition,
        _ reason: FailureReason,
        pause: Duration? = nil
    ) {
        self.condition = condition
        self.stages = stages
        self.fault = fault
        self.disposition = disposition
        self.reason = reason
        self.pause = pause
    }

    /// The rule as a row of a Markdown table: condition, stages, fault, disposition, reason.
    package var tableRow: String {
        let places = stages.isEmpty ? "any" : stages.map(\.rawValue).joined(separator: ", ")
        let following = disposition.rawValue + (pause.map { ", the relay rests for \($0.inWords)" } ?? "")
        return "| \(condition.words) | \(places) | \(fault.rawValue) | \(following) | `\(reason.rawValue)` |"
    }
}

extension FailureRule.Condition {
    fileprivate var words: String {
        switch self {
        case .anything:
            return "anything else"
        case .kind(let kind):
            return kind.words
        case .reply(let codes, let status, let words, let unless):
            var parts = ["reply " + codes.map(\.description).joined(separator: ", ")]
            if !status.isEmpty { parts.append(status.map(\.description).joined(separator: " or ")) }
            if !words.isEmpty { parts.append(words.map { "`\($0)`" }.joined(separator: " or ")) }
            if !unless.isEmpty { parts.append("unless " + unless.map { "`\($0)`" }.joined(separator: " or ")) }
            return parts.joined(separator: ", ")
        }
    }
}

extension Duration {
    fileprivate var inWords: String {
        let seconds = components.seconds
        return seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds) s"
    }
}

/// A reply code, or a whole class: `450`, `5xx`.
package struct ReplyCodePattern: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    package let description: String
    private let range: ClosedRange<Int>

    package init(stringLiteral text: String) {
        description = text
        guard let first = Int(text.replacing("xx", with: "00")), let last = Int(text.replacing("xx", with: "99")) else {
            preconditionFailure("'\(text)' is not a pattern of reply codes")
        }
        range = first...last
    }

    func matches(_ code: Int) -> Bool { range.contains(code) }
}

/// An enhanced status code, with `x` for any number: `x.1.1`, `4.7.x`; `none` matches a reply without one.
///
/// Most rules leave the class open and check the class of the reply code instead, because a relay that mixes 5yz with
/// 4.y.z means the reply code (RFC 2034 §4 forbids the mixture).
package struct EnhancedStatusPattern: Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    private let text: String
    private let numbers: [Int?]

    package init(stringLiteral text: String) {
        self.text = text
        numbers = text == "none" ? [] : text.split(separator: ".").map { Int($0) }
        precondition(numbers.isEmpty || numbers.count == 3, "'\(text)' is not a pattern of status codes")
    }

    package var description: String { text == "none" ? "no enhanced code" : text }

    func matches(_ status: EnhancedStatusCode?) -> Bool {
        guard let status else { return numbers.isEmpty }
        return numbers.count == 3
            && zip(numbers, [status.statusClass, status.subject, status.detail]).allSatisfy { $0 == nil || $0 == $1 }
    }
}
