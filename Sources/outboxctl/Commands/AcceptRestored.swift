// The command `accept-restored`. Never decides without a flag.

import ArgumentParser
import Foundation
import OutboxCore
import OutboxStore
import ProgramSupport

struct AcceptRestored: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decide about the messages that were open in a restored database.",
        discussion: """
            If outboxd finds at its start that the database is older than its own last commit to it, the messages that \
            were open in it may have been sent since. outboxd holds them until this command decides about all of them. \
            New messages leave as always. Without a flag it only says how many are held. Messages whose time is over \
            expire in place of being sent. `outboxctl list --waiting-for restored-file` lists them, and `outboxctl \
            cancel` decides about single ones. Exits with 1 if none is held, and with 65 if a rule of the application \
            refuses to change some of them; these stay held.
            """
    )

    enum Decision: EnumerableFlag {
        case send, cancel

        static func help(for value: Decision) -> ArgumentHelp? {
            switch value {
            case .send: "Send them now. Those that were sent after the backup arrive twice."
            case .cancel: "Cancel them. People without their mail have to request it again."
            }
        }
    }

    @Flag var decision: Decision?

    @Flag(help: "Print one JSON object for each message, as in `status`.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(decision == nil ? .reading : .writing)
            guard let held = try await database.restoredMessages() else {
                if !json { print("nothing found: no message waits because of a restored database") }
                throw ExitCode.failure
            }
            guard let decision else {
                try await show(held, database)
                return
            }
            let accepted: AcceptedRestored
            switch decision {
            case .send: accepted = try await database.sendRestored(now: .now)
            case .cancel: accepted = try await database.cancelRestored(now: .now)
            }
            if json {
                for id in accepted.due + accepted.expired + accepted.cancelled {
                    guard let message = try await database.status(id: id) else { continue }
                    print(try JSONText.line(MessageAnswer(message)))
                }
            } else if accepted != AcceptedRestored(refused: accepted.refused) {
                print(words(accepted))
            }
            for refusal in accepted.refused {
                FileHandle.standardError.write(
                    Data("message \(refusal.messageID) stays held: \(refusal.rule)\n".utf8)
                )
            }
            if !accepted.refused.isEmpty { throw ExitCode(ExitStatus.dataError) }
        }
    }

    private func show(_ held: RestoredMessages, _ database: OutboxDatabase) async throws {
        if json {
            for message in try await database.list(StatusFilter(waitingFor: .restoredFile, limit: held.count)) {
                print(try JSONText.line(MessageAnswer(message)))
            }
            return
        }
        let (first, last) = (held.requested.lowerBound.dayAndTime, held.requested.upperBound.dayAndTime)
        print(
            """
            \(held.count == 1 ? "1 message" : "\(held.count) messages") of a restored database, held since \(held.since.dayAndTime), requested \(first) to \(last) UTC
              outboxctl accept-restored --send     sends them now; those that were sent after the backup arrive twice
              outboxctl accept-restored --cancel   cancels them; people without their mail have to request it again
            """
        )
    }

    private func words(_ accepted: AcceptedRestored) -> String {
        [(accepted.due, "due now"), (accepted.expired, "expired"), (accepted.cancelled, "cancelled")]
            .filter { !$0.0.isEmpty }
            .map { "\($0.0.count) \($0.1)" }
            .joined(separator: ", ")
    }
}
