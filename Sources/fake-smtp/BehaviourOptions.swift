// The options for misbehaviour and limits. Each is one setting of the library.

import ArgumentParser
import FakeSMTP

struct BehaviourOptions: ParsableArguments {
    @Option(
        name: .customLong("fault"),
        help: ArgumentHelp("A fault, written as above. Repeatable.", valueName: "text"),
        transform: { try Fault(parsing: $0) }
    )
    var faults: [Fault] = []

    @Option(help: ArgumentHelp("The seed of 'odds': the same seed gives the same faults.", valueName: "number"))
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp("The delay before every reply, such as 10ms.", valueName: "time"),
        transform: { try WrittenTime(parsing: $0).duration }
    )
    var replyDelay: Duration?

    @Option(help: ArgumentHelp("The most connections at a time; others are greeted with 421.", valueName: "number"))
    var maxConnections: Int?

    @Option(help: ArgumentHelp("The most mails per connection; the next MAIL gets 421.", valueName: "number"))
    var messagesPerConnection: Int?

    @Option(
        help: ArgumentHelp(
            "The most MAIL commands per connection, offered as MAILMAX of LIMITS (RFC 9422); the next MAIL gets 421.",
            valueName: "number"
        )
    )
    var mailMax: Int?

    @Option(
        help: ArgumentHelp(
            "Sends 421 and closes a connection that was silent for this time, such as 10s.",
            valueName: "time"
        ),
        transform: { try WrittenTime(parsing: $0).duration }
    )
    var idleTimeout: Duration?

    @Flag(help: "Closes an idle connection without the 421.")
    var idleSilently = false

    @Option(help: ArgumentHelp("The largest mail in octets.", valueName: "octets"))
    var maxSize = 10 * 1_024 * 1_024

    @Option(
        help: ArgumentHelp(
            "An extension not to offer: pipelining, size, 8bitmime, smtputf8, dsn, limits, starttls or auth. "
                + "Repeatable.",
            valueName: "extension"
        )
    )
    var without: [SMTPExtension] = []

    @Option(
        help: ArgumentHelp(
            "A line of EHLO's answer, such as 'SIZE 1000', in place of the usual ones. Repeatable. What the server takes "
                + "and refuses stays the same.",
            valueName: "line"
        )
    )
    var ehloLine: [String] = []

    @Flag(help: "Answers EHLO with 502, so that only HELO is left.")
    var heloOnly = false

    func validate() throws {
        guard [messagesPerConnection, mailMax, maxConnections, maxSize].allSatisfy({ $0 ?? 1 >= 1 }) else {
            throw ValidationError(
                "--messages-per-connection, --mail-max, --max-connections and --max-size are whole numbers from 1."
            )
        }
        guard ehloLine.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x20...0x7E).contains($0) } }) else {
            throw ValidationError("--ehlo-line takes printable ASCII.")
        }
        guard !idleSilently || idleTimeout != nil else {
            throw ValidationError("--idle-silently needs --idle-timeout.")
        }
    }

    func apply(to options: inout FakeSMTPServer.Options) {
        options.seed = seed
        options.replyDelay = replyDelay ?? .zero
        options.messagesPerConnection = messagesPerConnection
        options.mailMax = mailMax
        options.maximumConnections = maxConnections
        options.idleTimeout = idleTimeout
        options.saysGoodbyeWhenIdle = !idleSilently
        options.maximumMessageSize = maxSize
        options.offers.subtract(without)
        options.ehloLines = ehloLine.isEmpty ? nil : ehloLine
        options.understandsEHLO = !heloOnly
    }
}

extension SMTPExtension: ExpressibleByArgument {}
