// Reads times on the command line as people write them, and prints times for people and for programs.

import ArgumentParser
import Foundation
import OutboxCore
import OutboxSettings

extension Timestamp {
    /// The current time.
    static var now: Timestamp { Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))) }

    /// `2026-01-31 08:15:30`, in UTC.
    var dayAndTime: String { "\(day) \(timeOfDay(milliseconds: false))" }
}

extension Duration {
    /// Reads a span from the command line, written as in the configuration file.
    ///
    /// - Throws: `ValidationError` that says what was expected.
    init(argument: String) throws {
        do {
            try self.init(settingText: argument)
        } catch {
            switch error {
            case .expected(let expected, let hint):
                let advice = hint.map { "; \($0)" } ?? ""
                throw ValidationError("expected \(expected), found '\(argument)'\(advice)")
            case .refused(let reason):
                throw ValidationError(reason)
            }
        }
    }
}

/// A time given on the command line: absolute, or an age.
struct Moment {
    private let absolute: Timestamp?
    private let age: Duration?

    /// - Throws: `ValidationError` if the text is neither.
    init(argument: String) throws {
        if let age = try? Duration(settingText: argument) {
            self.age = age
            absolute = nil
            return
        }
        guard let moment = Timestamp(rfc3339: argument) else {
            throw ValidationError(
                "'\(argument)' is neither an age such as 90m or 24h nor a time such as 2026-01-31T08:00:00Z"
            )
        }
        age = nil
        absolute = moment
    }

    func timestamp(now: Timestamp) -> Timestamp? { absolute ?? age.map { now - $0 } }
}

/// The option --since.
struct SinceOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Only messages requested since then: an age such as 90m or 24h, or a time such as 2026-01-31T08:00:00Z.",
            valueName: "age|time"
        ),
        transform: { try Moment(argument: $0) }
    )
    var since: Moment?

    /// The given time.
    func timestamp(now: Timestamp) -> Timestamp? { since?.timestamp(now: now) }
}
