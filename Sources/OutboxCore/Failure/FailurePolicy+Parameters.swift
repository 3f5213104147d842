// Which refusals may be about the parameters that request reports (RFC 3461). Never blames anybody.

extension FailurePolicy {
    /// Whether a relay may have refused MAIL or RCPT because of their parameters, so that the same commands without them
    /// may pass.
    ///
    /// Some relays offer DSN and refuse its parameters, with codes that elsewhere mean a bad recipient: aiosmtpd's "555
    /// RCPT TO parameters not recognized or not implemented", OpenSMTPD's "553 ORCPT address syntax error", Postfix's
    /// "501 5.5.4 Error: Bad NOTIFY parameter syntax".
    package static func mayConcernParameters(_ failure: TransmissionFailure) -> Bool {
        parameterTable.rule(for: failure) != nil
    }

    /// Only the conditions of these rules count.
    private static let parameterTable = FailureTable([
        FailureRule(.reply("500", "501", "504", "555"), at: [.mail, .rcpt], .relay, .again, .protocolError),
        FailureRule(.reply("5xx", status: "x.5.2", "x.5.4"), at: [.mail, .rcpt], .relay, .again, .protocolError),
        FailureRule(
            .reply("5xx", words: "envid/notify/orcpt/dsn/parameter*/argument*/option*"),
            at: [.mail, .rcpt],
            .relay,
            .again,
            .protocolError
        ),
    ])
}
