// The command `promise`. Never changes anything.

import ArgumentParser
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport

struct PromiseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promise",
        abstract: "Show how many mails a relay accepted within the time that people are told to wait.",
        discussion: """
            The time is `guidance.patience`, five minutes by default, counted from the request, or from `not_before` \
            if the application set it. Lists the late mails with the reason and who was at fault. Messages that \
            `retention` has removed are counted by day: whole days in UTC, times up to a sixteenth too long, no list. \
            How many links were used, and how long after the request, is the only proof that mails arrived and were \
            read; it needs tokens that are redeemed in the outbox (docs/tokens.md). \
            Exits with 1 if no mail was requested.
            """
    )

    @OptionGroup var since: SinceOption

    @Option(help: "The maximum number of late messages, the newest ones.")
    var limit = 50

    @Flag(help: "Print one JSON object; durations are in milliseconds.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit must be 0 or more") }
    }

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            let now = Timestamp.now
            let start = since.timestamp(now: now) ?? now - .seconds(86_400)
            let measure = try await database.forEachRequested(
                since: start,
                into: PromiseMeasure(patience: try await database.guidance().patience, now: now),
                summary: { measure, day in measure.add(day) }
            ) { measure, record in measure.add(record) }
            if json {
                print(try JSONText.line(PromiseAnswer(measure: measure, since: start, limit: limit)))
            } else if measure.requested == 0 {
                print("nothing found: no message was requested since \(start.dayAndTime) UTC")
            } else {
                print(text(measure, since: start))
            }
            if measure.requested == 0 { throw ExitCode.failure }
        }
    }

    private func text(_ measure: PromiseMeasure, since: Timestamp) -> String {
        let patience = measure.patience.settingText
        var lines = [
            "\(measure.requested) \(measure.requested == 1 ? "mail" : "mails") requested since \(since.dayAndTime) UTC"
        ]
        func add(_ label: String, _ value: String) { lines.append("  \(label.padded(to: 28))\(value)") }

        let kept = measure.kept.map { " (\(percentage($0)) of those that are due)" } ?? ""
        add("accepted within \(patience)", "\(measure.acceptedInTime)\(kept)")
        add("accepted later", "\(measure.acceptedLate)")
        add("expired before acceptance", "\(measure.expired)")
        add("still waiting, late", "\(measure.waitingLate)")
        add("still waiting, in time", "\(measure.waitingInTime)")
        for (state, count) in measure.notMailed.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            add(state.rawValue, "\(count)")
        }
        if let times = measure.percentiles([0.5, 0.95, 0.99, 1]) {
            let texts = zip(["p50", "p95", "p99", "max"], times).map { "\($0) \($1.settingText)" }
            add("time to acceptance", texts.joined(separator: ", "))
        }
        if measure.redeemed > 0 {
            add("link or code used", "\(measure.redeemed)")
            if let times = measure.redemptionPercentiles([0.5, 0.95]) {
                let texts = zip(["p50", "p95"], times).map { "\($0) \($1.settingText)" }
                add("time to its use", texts.joined(separator: ", "))
            }
        }
        if measure.summarized > 0 {
            add("of these by day only", "\(measure.summarized), \(measure.lateSummarized) of them late")
            lines.append("  (removed by `retention`; whole days in UTC, times up to a sixteenth too long)")
        }
        guard !measure.late.isEmpty, limit > 0 else { return lines.joined(separator: "\n") }
        let shown = measure.late.suffix(limit).reversed()
        lines += ["", "late, newest first (\(shown.count) of \(measure.late.count)):"]
        lines.append(
            TextTable.text(
                header: ["ID", "KIND", "STATE", "REQUESTED (UTC)", "DELAY", "FAULT", "REASON"],
                rows: shown.map { late in
                    [
                        String(late.record.id), late.record.kind, late.record.state.rawValue,
                        late.record.requestedAt.dayAndTime, late.delay.settingText, late.fault, late.reason,
                    ]
                }
            )
        )
        return lines.joined(separator: "\n")
    }

    /// Rounds down, because 99.99 % is not all.
    private func percentage(_ part: Double) -> String { "\((part * 1000).rounded(.down) / 10) %" }
}

/// The measurements as JSON for programs; durations are in milliseconds.
private struct PromiseAnswer: Encodable {
    let measure: PromiseMeasure
    let since: Timestamp
    let limit: Int

    private enum CodingKeys: String, CodingKey {
        case since, patience, kept, p50, p95, p99, max, late
        case notMailed = "not_mailed"
        case redemptionP50 = "redemption_p50"
        case redemptionP95 = "redemption_p95"
    }

    func encode(to encoder: any Encoder) throws {
        try measure.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(since, forKey: .since)
        try container.encode(measure.patience.inMilliseconds, forKey: .patience)
        let notMailed = measure.notMailed.map { ($0.key.rawValue, $0.value) }
        try container.encode(Dictionary(uniqueKeysWithValues: notMailed), forKey: .notMailed)
        try container.encode(measure.kept, forKey: .kept)
        let times = measure.percentiles([0.5, 0.95, 0.99, 1])?.map(\.inMilliseconds)
        for (index, key) in [CodingKeys.p50, .p95, .p99, .max].enumerated() {
            try container.encode(times?[index], forKey: key)
        }
        let redemption = measure.redemptionPercentiles([0.5, 0.95])?.map(\.inMilliseconds)
        try container.encode(redemption?[0], forKey: .redemptionP50)
        try container.encode(redemption?[1], forKey: .redemptionP95)
        try container.encode(measure.late.suffix(limit).reversed().map(LateAnswer.init), forKey: .late)
    }
}

private struct LateAnswer: Encodable {
    let id: Int64
    let kind: String
    let state: MessageState
    let requestedAt: Timestamp
    let delay: Int64
    let fault: String
    let reason: String

    init(_ late: PromiseMeasure.Late) {
        id = late.record.id
        kind = late.record.kind
        state = late.record.state
        requestedAt = late.record.requestedAt
        delay = late.delay.inMilliseconds
        fault = late.fault
        reason = late.reason
    }

    private enum CodingKeys: String, CodingKey {
        case id, kind, state, delay, fault, reason
        case requestedAt = "requested_at"
    }
}
