// The service extensions that the server can offer. SMTPSession implements them.

/// A service extension of EHLO's answer.
package enum SMTPExtension: String, Sendable, Hashable, CaseIterable {
    /// RFC 2920. The server accepts pipelined commands in any case.
    case pipelining
    /// RFC 1870. Without it, a SIZE parameter is rejected; the size limit itself stays.
    case size
    /// RFC 6152.
    case eightBitMIME = "8bitmime"
    /// RFC 6531.
    case smtpUTF8 = "smtputf8"
    /// RFC 3461. The server records the parameters and reports nothing, because it delivers nothing.
    case dsn
    /// RFC 9422. Offered only with ``FakeSMTPServer/Options/mailMax``, which counts in any case.
    case limits
    /// RFC 3207. Offered only by a server started with ``FakeSMTPServer/TLSMode/startTLS``.
    case startTLS = "starttls"
    /// RFC 4954. Offered only if there are credentials.
    case auth

    /// The line in EHLO's answer.
    func line(_ options: FakeSMTPServer.Options) -> String {
        switch self {
        case .pipelining: "PIPELINING"
        case .size: "SIZE \(options.maximumMessageSize)"
        case .eightBitMIME: "8BITMIME"
        case .smtpUTF8: "SMTPUTF8"
        case .dsn: "DSN"
        case .limits: options.mailMax.map { "LIMITS MAILMAX=\($0)" } ?? "LIMITS"
        case .startTLS: "STARTTLS"
        case .auth: (["AUTH"] + options.mechanisms.map(\.rawValue)).joined(separator: " ")
        }
    }
}
