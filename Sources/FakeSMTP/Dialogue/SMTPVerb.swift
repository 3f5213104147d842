// The verbs that the server knows. Never their effects.

/// A command's verb, as the ledger counts it.
enum SMTPVerb: String, Sendable, CaseIterable {
    case helo = "HELO"
    case ehlo = "EHLO"
    case startTLS = "STARTTLS"
    case auth = "AUTH"
    case mail = "MAIL"
    case rcpt = "RCPT"
    case data = "DATA"
    case rset = "RSET"
    case noop = "NOOP"
    case vrfy = "VRFY"
    case expn = "EXPN"
    case help = "HELP"
    case quit = "QUIT"
    /// Any other verb.
    case unknown = "?"

    /// The verb at the start of a command line.
    init(of line: String) {
        let word = line.prefix { $0 != " " }
        self = word.utf8.count <= 8 ? Self(rawValue: word.uppercased()) ?? .unknown : .unknown
    }

    /// Whether a client may send another command before the reply to this one (RFC 2920 §3.1).
    var mayBeFollowed: Bool {
        switch self {
        case .rset, .mail, .rcpt: true
        case .helo, .ehlo, .startTLS, .auth, .data, .noop, .vrfy, .expn, .help, .quit, .unknown: false
        }
    }

    /// The longest command line in octets, CRLF included: RFC 5321 §4.5.3.1.4, plus what RFC 1870 (26),
    /// RFC 6152 (17), RFC 6531 (10) and RFC 4954 §5 (500) add to MAIL, RFC 3461 §4 to MAIL (` RET=`, ` ENVID=` and 100) and
    /// RCPT (` NOTIFY=` and 21, ` ORCPT=` and 500), and RFC 4954 §4 for AUTH.
    var longestLine: Int {
        switch self {
        case .mail: 512 + 26 + 17 + 10 + 500 + 9 + 107
        case .rcpt: 512 + 29 + 507
        case .auth: LineFramer.longestLine
        default: 512
        }
    }
}
