// The failure table, row by row.

import OutboxCore
import Testing

@Suite struct FailurePolicyTests {
    private func verdict(_ fault: TransmissionFault, at stage: SMTPStage) -> Verdict {
        FailurePolicy.verdict(for: TransmissionFailure(stage: stage, fault: fault, detail: ""))
    }

    private func verdict(_ code: Int, _ status: EnhancedStatusCode? = nil, at stage: SMTPStage) -> Verdict {
        verdict(.reply(SMTPReply(code: code, enhancedStatus: status, text: "")), at: stage)
    }

    @Test(
        "what the network or the relay does is the relay's fault, and tried again",
        arguments: [
            TransmissionFault.couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .garbledReply,
            .tlsHandshake, .other(curlCode: 99),
        ]
    )
    func relayFaults(fault: TransmissionFault) {
        for stage in SMTPStage.allCases { #expect(verdict(fault, at: stage) == Verdict(.relay, .again)) }
    }

    @Test(
        "what an operator has to mend is the configuration's fault, and costs no message",
        arguments: [
            TransmissionFault.certificate, .startTLSNotOffered, .authenticationRefused(nil),
            .authenticationRefused(SMTPReply(code: 535, text: "bad")), .composition(.unknownKind),
        ]
    )
    func configurationFaults(fault: TransmissionFault) {
        for stage in SMTPStage.allCases { #expect(verdict(fault, at: stage) == Verdict(.configuration, .again)) }
    }

    @Test("a 421 means the relay, whatever the command was", arguments: SMTPStage.allCases)
    func serviceCloses(stage: SMTPStage) {
        #expect(verdict(421, at: stage) == Verdict(.relay, .again))
    }

    @Test("a 4xx at RCPT is about the recipient and temporary, a 5xx final")
    func recipient() {
        #expect(verdict(450, at: .rcpt) == Verdict(.recipient, .again))
        #expect(verdict(550, EnhancedStatusCode(5, 1, 1), at: .rcpt) == Verdict(.recipient, .final))
    }

    @Test("a refused sender is for the operator, no message pays for it")
    func sender() {
        #expect(verdict(553, at: .mail) == Verdict(.configuration, .again))
        #expect(verdict(451, at: .mail) == Verdict(.relay, .again))
    }

    @Test("a mail that is too big is refused for good at MAIL")
    func tooBig() {
        #expect(verdict(552, at: .mail) == Verdict(.message, .final))
        #expect(verdict(554, EnhancedStatusCode(5, 3, 4), at: .mail) == Verdict(.message, .final))
        #expect(verdict(452, EnhancedStatusCode(4, 3, 4), at: .mail) == Verdict(.relay, .again))
    }

    @Test("a relay that wants authentication is for the operator", arguments: [SMTPStage.mail, .rcpt, .data])
    func authenticationRequired(stage: SMTPStage) {
        #expect(verdict(530, at: stage) == Verdict(.configuration, .again))
    }

    @Test("a refusal of the content is about this message", arguments: [SMTPStage.data, .body, .finalDot])
    func content(stage: SMTPStage) {
        #expect(verdict(451, at: stage) == Verdict(.message, .again))
        #expect(verdict(554, at: stage) == Verdict(.message, .final))
    }

    @Test("a refusal before the envelope is the relay's fault", arguments: [SMTPStage.connect, .ehlo, .startTLS, .tls])
    func session(stage: SMTPStage) {
        #expect(verdict(451, at: stage) == Verdict(.relay, .again))
        #expect(verdict(554, at: stage) == Verdict(.relay, .again))
    }

    @Test("a message that can't be made into a mail is refused for good")
    func composition() {
        #expect(verdict(.composition(.badValues), at: .compose) == Verdict(.message, .final))
        #expect(verdict(.composition(.badRecipient), at: .compose) == Verdict(.recipient, .final))
    }
}
