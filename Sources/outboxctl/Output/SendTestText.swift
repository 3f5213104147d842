// Formats what `send-test` is going to do, and what became of it. Never judges a failure (see FailurePolicy).

import InternetMessage
import OutboxCore
import OutboxSettings
import ProgramSupport

/// Formats the result of a test mail for a terminal.
struct SendTestText {
    /// The relay's place in the configuration.
    let setting: String
    /// The relay's login needs access tokens.
    let usesTokens: Bool

    /// The lines before the conversation.
    ///
    /// - Parameter login: masks the login's secrets: at some providers the user name is the password.
    static func introduction(
        _ relay: RelaySettings,
        login mask: SecretMask,
        mail: String,
        messageID: String
    ) -> [String] {
        let endpoint = relay.endpoint
        let protection =
            switch (endpoint.scheme, relay.configuration.tls) {
            case (.smtps, _): "TLS from the first byte"
            case (.smtp, .required): "STARTTLS required"
            case (.smtp, .opportunistic): "STARTTLS if offered"
            case (.smtp, .none): "no TLS"
            }
        let login =
            relay.credentials.map { credentials in
                let places = credentials.secrets.map(\.source.place).joined(separator: ", ")
                return "login as \(mask.masked(credentials.user))\(places.isEmpty ? "" : " (\(places))")"
            } ?? "no login"
        return [
            "relay       \(relay.configuration.name): host \(endpoint.host), port \(endpoint.port), \(protection), \(login)",
            "mail        \(mail)",
            "message id  \(messageID)",
            "token       a sample: the link in this mail redeems nothing",
            "",
        ]
    }

    /// The lines after the conversation, and the exit code.
    func verdict(on result: TransmissionResult) -> (lines: [String], status: Int32) {
        switch result {
        case .accepted(let reply): (["", "accepted: the relay has taken the mail"] + acceptance(reply), 0)
        case .failed(let failure): verdict(on: failure)
        case .withheld: preconditionFailure("nothing withholds a test mail")
        }
    }

    private func acceptance(_ reply: SMTPReply) -> [String] {
        var lines = ["   reply       \(reply)"]
        if let queueID = reply.queueID { lines.append("   queue id    \(queueID)") }
        lines.append("   next        look for it in the inbox, then in Junk; a later failure comes back as a report")
        return lines
    }

    private func verdict(on failure: TransmissionFailure) -> (lines: [String], status: Int32) {
        let verdict = FailurePolicy.verdict(for: failure)
        let head: String
        let status: Int32
        switch (verdict.disposition, verdict.fault) {
        case _ where failure.isUncertain:
            let answer =
                switch failure.cause {
                case .garbledReply, .outOfStep: "answered with something that is no reply to it"
                default: "did not answer"
                }
            head = "uncertain: the relay received the whole mail and \(answer); the mail may arrive"
            status = ExitStatus.temporary
        case (.final, _):
            head = "rejected: outboxd would not try this mail again"
            status = ExitStatus.unavailable
        case (.again, .configuration):
            head = "deferred: no mail passes until the configuration is mended; outboxd would keep its mails until then"
            status = ExitStatus.configuration
        case (.again, .relay), (.again, .message), (.again, .recipient):
            head = "deferred: outboxd would try this mail again"
            status = ExitStatus.temporary
        }
        let remedy = Remedy(verdict.reason)
        let lines = FailureText.lines(
            reason: verdict.reason.rawValue,
            stage: failure.stage.rawValue,
            fault: verdict.fault.rawValue,
            detail: failure.detail,
            lookAt: remedy?.place(at: setting, usesTokens: usesTokens),
            // The next test reads the configuration anyway; outboxd has to be told.
            then: remedy?.then
        )
        return (["", head] + lines, status)
    }
}
