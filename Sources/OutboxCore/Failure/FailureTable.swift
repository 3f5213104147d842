// Prepares the failure policy's rules for evaluation. Holds no rule of its own (see FailurePolicy).

import InternetMessage

/// Rules in the order of their evaluation, with compiled word patterns.
///
/// A reply's words are folded and matched once, and only when a rule needs them.
struct FailureTable: Sendable {
    private let rules: [Prepared]
    private let matcher: WordMatcher

    /// A class, so that walking the table doesn't copy its arrays.
    private final class Prepared: Sendable {
        let rule: FailureRule
        let stages: Set<SMTPStage>
        let condition: Condition

        enum Condition: Sendable {
            case anything
            case kind(TransmissionCause.Kind)
            case reply(
                codes: [ReplyCodePattern],
                status: [EnhancedStatusPattern],
                words: [WordMatcher.Pattern],
                unless: [WordMatcher.Pattern]
            )
        }

        init(_ rule: FailureRule, _ matcher: inout WordMatcher) {
            self.rule = rule
            stages = Set(rule.stages)
            condition =
                switch rule.condition {
                case .anything: .anything
                case .kind(let kind): .kind(kind)
                case .reply(let codes, let status, let words, let unless):
                    .reply(
                        codes: codes,
                        status: status,
                        words: words.map { matcher.add($0) },
                        unless: unless.map { matcher.add($0) }
                    )
                }
        }
    }

    init(_ rules: [FailureRule]) {
        var matcher = WordMatcher()
        self.rules = rules.map { Prepared($0, &matcher) }
        self.matcher = matcher
    }

    /// The first rule that applies.
    func rule(for failure: TransmissionFailure) -> FailureRule? {
        let kind = failure.cause.kind
        let reply = failure.reply
        var reading: WordMatcher.Reading?
        let found = rules.first { prepared in
            guard prepared.stages.isEmpty || prepared.stages.contains(failure.stage) else { return false }
            switch prepared.condition {
            case .anything:
                return true
            case .kind(let wanted):
                return kind == wanted
            case .reply(let codes, let status, let words, let unless):
                guard let reply, codes.contains(where: { $0.matches(reply.code) }) else { return false }
                guard status.isEmpty || status.contains(where: { $0.matches(reply.enhancedStatus) }) else {
                    return false
                }
                if words.isEmpty && unless.isEmpty { return true }
                let text = reading ?? matcher.reading(of: FoldedText(reply.text))
                reading = text
                return (words.isEmpty || words.contains { text.has($0) }) && !unless.contains { text.has($0) }
            }
        }
        return found?.rule
    }
}
