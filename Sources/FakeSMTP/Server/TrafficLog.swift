// Formats the lines of `--log`. Shows no secret, no mail data, and no control character of a client.

/// One readable line for each command and reply.
struct TrafficLog: Sendable {
    let write: @Sendable (String) -> Void

    /// Logs a command line. The initial response of AUTH is a secret.
    func command(_ line: String, verb: SMTPVerb, connection: Int) {
        let words = line.split(separator: " ", maxSplits: 2)
        if verb == .unknown {
            // The line may be a late password, after a rejected AUTH.
            write("[\(connection)] C: [no known command, \(line.utf8.count) octets]")
        } else if verb == .auth, words.count > 2 {
            write("[\(connection)] C: \(Self.printable("\(words[0]) \(words[1])")) [redacted]")
        } else {
            write("[\(connection)] C: \(Self.printable(line))")
        }
    }

    /// Logs a response in an AUTH exchange.
    func secret(connection: Int) {
        write("[\(connection)] C: [redacted]")
    }

    /// Logs a line that could not be read.
    func unreadable(connection: Int) {
        write("[\(connection)] C: [no command line]")
    }

    /// Logs the size of the received mail data.
    func body(octets: Int, connection: Int) {
        write("[\(connection)] C: [mail data, \(octets) octets]")
    }

    /// Logs every line of a reply.
    func reply(_ reply: SMTPReply, connection: Int) {
        for line in reply.wireLines {
            write("[\(connection)] S: \(Self.printable(line))")
        }
    }

    /// Logs any other event.
    func note(_ text: String, connection: Int) {
        write("[\(connection)] -- \(Self.printable(text))")
    }

    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 })
        )
    }
}
