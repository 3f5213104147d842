// Parses one command line: verb, arguments, syntax. SMTPSession checks the sequence of commands.

/// A well-formed SMTP command.
enum SMTPCommand: Equatable {
    case hello(domain: String, isExtended: Bool)
    case startTLS
    case auth(mechanism: String, initialResponse: String?)
    /// Parameters by upper-case keyword; a parameter without a value has an empty one.
    case mail(Mailbox, parameters: [String: String])
    case rcpt(Mailbox, parameters: [String: String])
    case data
    case rset
    case noop
    case vrfy
    case help
    case quit

    /// Parses a line whose verb is known.
    ///
    /// - Throws: the ``SMTPReply`` that rejects the line: 500, 501, 502 or 555.
    static func parse(_ line: String, verb: SMTPVerb) throws(SMTPReply) -> SMTPCommand {
        guard line.utf8.count + 2 <= verb.longestLine else {
            throw SMTPReply(500, "5.5.2", "Line too long")
        }
        // RFC 5321 §4.1.1: white space before the CRLF is tolerated.
        var argument = line.dropFirst(verb == .unknown ? 0 : verb.rawValue.count)
        while argument.last == " " { argument.removeLast() }
        argument = argument.drop { $0 == " " }

        switch verb {
        case .helo, .ehlo:
            guard !argument.isEmpty, !argument.contains(" ") else {
                throw SMTPReply(501, "5.5.4", "Syntax: \(verb.rawValue) hostname")
            }
            return .hello(domain: String(argument), isExtended: verb == .ehlo)
        case .startTLS:
            return try withoutArgument(.startTLS, argument)
        case .auth:
            let words = argument.split(separator: " ")
            guard (1...2).contains(words.count), let mechanism = words.first else {
                throw SMTPReply(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")
            }
            return .auth(
                mechanism: mechanism.uppercased(),
                initialResponse: words.count == 2 ? String(words[1]) : nil
            )
        case .mail:
            let (path, parameters) = try path(after: "FROM:", in: argument, refusal: "5.1.7")
            return .mail(path, parameters: parameters)
        case .rcpt:
            let (path, parameters) = try path(after: "TO:", in: argument, refusal: "5.1.3")
            guard !path.address.isEmpty else { throw SMTPReply(501, "5.1.3", "A recipient can't be empty") }
            return .rcpt(path, parameters: parameters)
        case .data: return try withoutArgument(.data, argument)
        case .rset: return try withoutArgument(.rset, argument)
        case .quit: return try withoutArgument(.quit, argument)
        case .noop: return .noop
        case .help: return .help
        case .vrfy:
            guard !argument.isEmpty else { throw SMTPReply(501, "5.5.4", "Syntax: VRFY address") }
            return .vrfy
        case .expn: throw SMTPReply(502, "5.5.1", "Command not implemented")
        case .unknown: throw SMTPReply(500, "5.5.2", "Command not recognized")
        }
    }

    private static func withoutArgument(
        _ command: SMTPCommand,
        _ argument: Substring
    ) throws(SMTPReply) -> SMTPCommand {
        guard argument.isEmpty else { throw SMTPReply(501, "5.5.4", "No argument is allowed") }
        return command
    }

    private static func path(
        after keyword: String,
        in argument: Substring,
        refusal: String
    ) throws(SMTPReply) -> (Mailbox, [String: String]) {
        guard argument.prefix(keyword.count).uppercased() == keyword else {
            throw SMTPReply(501, "5.5.4", "Syntax: \(keyword)<address>")
        }
        var rest = argument.dropFirst(keyword.count)
        guard let mailbox = Mailbox.take(from: &rest), rest.isEmpty || rest.first == " " else {
            throw SMTPReply(501, refusal, "Bad address syntax")
        }
        var parameters: [String: String] = [:]
        for word in rest.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let keyword = parts[0].uppercased()
            let value = parts.count == 2 ? String(parts[1]) : ""
            // RFC 5321 §4.1.2: esmtp-keyword ["=" esmtp-value], and an esmtp-value is not empty.
            guard !keyword.isEmpty, parts.count == 1 || !value.isEmpty, parameters[keyword] == nil else {
                throw SMTPReply(501, "5.5.4", "Malformed or repeated parameter \(word)")
            }
            parameters[keyword] = value
        }
        return (mailbox, parameters)
    }
}
