// The failure table, row by row, and the document that shows it.

import Foundation
import InternetMessage
import OutboxCore
import Testing

@Suite struct FailurePolicyTests {
    private static func verdict(_ cause: TransmissionCause, at stage: SMTPStage) -> Verdict {
        FailurePolicy.verdict(for: TransmissionFailure(stage: stage, cause: cause, detail: ""))
    }

    private static func verdict(_ reply: String, at stage: SMTPStage) throws -> Verdict {
        verdict(.reply(try #require(SMTPReply(lines: [reply]))), at: stage)
    }

    @Test(
        "failures of the network or the relay are the relay's fault, and retried",
        arguments: [
            (TransmissionCause.couldNotResolve, FailureReason.nameNotResolved), (.couldNotConnect, .noConnection),
            (.connectionLost, .connectionLost), (.timedOut, .timedOut), (.garbledReply, .garbledReply),
            (.tlsHandshake, .tlsFailed), (.other(curlCode: 99), .libcurlError),
        ]
    )
    func relayFaults(cause: TransmissionCause, reason: FailureReason) {
        for stage in SMTPStage.allCases {
            #expect(Self.verdict(cause, at: stage) == Verdict(.relay, .again, reason))
        }
    }

    @Test(
        "problems that an operator must fix are the configuration's fault, and end no message",
        arguments: [
            (TransmissionCause.certificate, FailureReason.certificateNotTrusted),
            (.startTLSNotOffered, .startTLSNotOffered), (.authenticationRefused(nil), .authenticationRefused),
            (.authenticationRefused(SMTPReply(code: 535, text: "bad")), .authenticationRefused),
            (.composition(.unknownKind), .noTemplates),
        ]
    )
    func configurationFaults(cause: TransmissionCause, reason: FailureReason) {
        for stage in SMTPStage.allCases {
            #expect(Self.verdict(cause, at: stage) == Verdict(.configuration, .again, reason))
        }
    }

    @Test("a 421 is the relay's fault, whatever the command was", arguments: SMTPStage.allCases)
    func serviceCloses(stage: SMTPStage) throws {
        #expect(try Self.verdict("421 4.7.0 Too many connections", at: stage).fault == .relay)
        #expect(try Self.verdict("421 Closing", at: stage) == Verdict(.relay, .again, .relayClosing))
    }

    /// Replies as relays give them, and their verdicts.
    static let replies: [(String, SMTPStage, Verdict.Fault, Verdict.Disposition, FailureReason)] = [
        ("554 5.7.1 No", .connect, .relay, .again, .sessionRefused),
        ("554 5.7.1 Your host is blocked", .connect, .configuration, .again, .addressBlocked),
        ("451 4.3.0 Later", .ehlo, .relay, .again, .sessionRefused),
        ("454 TLS not available due to temporary reason", .startTLS, .relay, .again, .sessionRefused),
        ("555 RCPT TO parameters not recognized or not implemented", .rcpt, .relay, .again, .protocolError),
        ("454 4.7.0 Temporary authentication failure", .auth, .relay, .again, .authenticationUnavailable),
        ("432 4.7.12 A password transition is needed", .auth, .configuration, .again, .authenticationRefused),
        ("535 5.7.8 Authentication credentials invalid", .auth, .configuration, .again, .authenticationRefused),
        ("530 5.7.0 Authentication required", .mail, .configuration, .again, .authenticationRequired),
        ("530 5.7.0 Authentication required", .rcpt, .configuration, .again, .authenticationRequired),
        ("451 4.1.8 Domain of sender address does not resolve", .rcpt, .relay, .again, .senderDeferred),
        ("553 5.7.1 Sender address rejected: not owned by user", .mail, .configuration, .again, .senderRefused),
        ("553 5.7.1 <a@b>: Sender address rejected: not owned", .rcpt, .configuration, .again, .senderRefused),
        ("550 5.1.8 Bad sender's system address", .rcpt, .configuration, .again, .senderRefused),
        ("554 5.7.1 <a@b>: Relay access denied", .rcpt, .configuration, .again, .relayingDenied),
        ("452 4.3.1 Insufficient system storage", .mail, .relay, .again, .relayFull),
        ("452 4.3.1 Insufficient system storage", .finalDot, .relay, .again, .relayFull),
        ("451 4.3.2 Please try again later", .data, .relay, .again, .relayNotReady),
        ("552 5.3.4 Message size exceeds fixed limit", .mail, .message, .final, .messageTooBig),
        ("552 Message exceeds size", .finalDot, .message, .final, .messageTooBig),
        ("552 5.2.3 Message length exceeds limit", .finalDot, .message, .final, .messageTooBig),
        ("503 5.5.1 Bad sequence of commands", .rcpt, .relay, .again, .protocolError),
        ("450 4.2.0 <a@b>: Recipient address rejected: Greylisted", .rcpt, .recipient, .again, .greylisted),
        ("451 4.7.1 Please try again later", .rcpt, .recipient, .again, .greylisted),
        ("451 4.7.1 Greylisted", .finalDot, .recipient, .again, .greylisted),
        ("450 4.2.1 Mailbox busy", .rcpt, .recipient, .again, .recipientDeferred),
        ("452 4.2.2 Mailbox full", .rcpt, .recipient, .again, .mailboxFull),
        ("452 Mailbox full", .rcpt, .recipient, .again, .mailboxFull),
        ("552 5.2.2 Over quota", .rcpt, .recipient, .final, .mailboxFull),
        ("552 5.2.2 Over quota", .finalDot, .recipient, .final, .mailboxFull),
        ("550 5.1.1 User unknown", .rcpt, .recipient, .final, .unknownRecipient),
        ("550 5.1.1 User unknown", .finalDot, .recipient, .final, .unknownRecipient),
        ("501 5.1.3 Bad recipient address syntax", .rcpt, .recipient, .final, .unknownRecipient),
        ("550 5.1.2 Bad destination system", .rcpt, .recipient, .final, .badDomain),
        ("556 5.1.10 Recipient address has null MX", .rcpt, .recipient, .final, .badDomain),
        ("550 5.4.4 Unable to route: host not found", .rcpt, .recipient, .final, .badDomain),
        ("550 5.2.1 Mailbox disabled", .rcpt, .recipient, .final, .mailboxDisabled),
        ("550 5.7.1 Blocked by policy", .rcpt, .recipient, .final, .policyRefusal),
        ("554 5.7.1 Spam message rejected", .data, .message, .final, .policyRefusal),
        ("554 5.7.1 Spam message rejected", .finalDot, .message, .final, .policyRefusal),
        ("554 5.6.0 Bad content", .finalDot, .message, .final, .contentRefused),
        ("550 No such user here", .rcpt, .recipient, .final, .unknownRecipient),
        ("550 Requested action not taken", .rcpt, .recipient, .final, .recipientRefused),
        ("554 Transaction failed", .finalDot, .message, .final, .messageRefused),
        ("451 Local error", .finalDot, .relay, .again, .relayNotReady),
        ("450 4.3.0 Queue file write error", .rcpt, .relay, .again, .relayNotReady),
        ("452 4.5.3 Too many", .finalDot, .message, .again, .messageDeferred),
    ]

    @Test("replies of real relays are understood", arguments: replies)
    func reply(
        text: String,
        stage: SMTPStage,
        fault: Verdict.Fault,
        disposition: Verdict.Disposition,
        reason: FailureReason
    ) throws {
        #expect(try Self.verdict(text, at: stage) == Verdict(fault, disposition, reason))
    }

    @Test("a message that can't be composed is rejected permanently")
    func composition() {
        #expect(Self.verdict(.composition(.badValues), at: .compose) == Verdict(.message, .final, .unusableValues))
        #expect(
            Self.verdict(.composition(.badRecipient), at: .compose) == Verdict(.recipient, .final, .unusableRecipient)
        )
    }

    @Test("every possible reply has a rule, and only a 5yz reply after the session began is final")
    func everyReply() throws {
        var statuses: [EnhancedStatusCode?] = [nil]
        for subject in 0...7 {
            statuses += (0...10).map { EnhancedStatusCode(5, subject, $0) }
        }
        statuses += [20, 23, 25, 26, 124, 509, 515].map { EnhancedStatusCode(5, 7, $0) }
        statuses += [EnhancedStatusCode(4, 1, 1), EnhancedStatusCode(4, 2, 2), EnhancedStatusCode(5, 2, 121)]
        var finalOnes: Set<String> = []
        for code in [400, 421, 432, 450, 451, 452, 454, 499, 500, 501, 503, 530, 535, 550, 552, 554, 556, 571, 599] {
            for status in statuses {
                let reply = SMTPReply(code: code, enhancedStatus: status, text: "Text")
                for stage in SMTPStage.allCases.dropFirst()
                where Self.verdict(.reply(reply), at: stage).disposition == .final {
                    finalOnes.insert("\(code / 100)xx \(stage.rawValue)")
                }
            }
        }
        #expect(finalOnes == ["5xx mail", "5xx rcpt", "5xx data", "5xx body", "5xx final-dot"])
        for code in [450, 550] {
            for words in ["Daily sending limit exceeded", "Sender verify failed", "Helo command rejected", "SPF fail"] {
                for status in statuses {
                    for stage in [SMTPStage.mail, .rcpt, .finalDot] {
                        let reply = SMTPReply(code: code, enhancedStatus: status, text: words)
                        let verdict = Self.verdict(.reply(reply), at: stage)
                        #expect(verdict.disposition == .again && [.relay, .configuration].contains(verdict.fault))
                    }
                }
            }
        }
    }

    @Test("a delay that the relay asks for is passed on, but never to a final refusal")
    func retryAfter() throws {
        let greylisted = try Self.verdict("451 4.7.1 Greylisted, try again in 5 minutes", at: .rcpt)
        #expect(greylisted.retryAfter == .seconds(300))
        #expect(try Self.verdict("550 5.7.1 Rejected. We looked at it for 5 minutes", at: .rcpt).retryAfter == nil)
    }

    @Test("only an address that takes no mail is suppressed")
    func suppressing() {
        let suppressing = FailureReason.allCases.filter(\.suppressesAddress)
        #expect(suppressing == [.unknownRecipient, .badDomain, .mailboxDisabled])
        #expect(suppressing.allSatisfy { $0.namesAddress && $0.blamesAddress })
    }

    @Test("the advice asks for another address only where the reason says that this one is dead or can't be mailed")
    func blamingTheAddress() {
        #expect(
            FailureReason.allCases.filter(\.blamesAddress) == [
                .unknownRecipient, .badDomain, .mailboxDisabled, .unusableRecipient, .smtpUTF8Unsupported,
            ]
        )
    }

    @Test("a code alone blames an address only at RCPT", arguments: ["5.1.1", "5.1.2", "5.1.3", "5.2.1", "5.4.4"])
    func condemningByCode(status: String) throws {
        #expect(try Self.verdict("550 \(status) No", at: .rcpt).reason.suppressesAddress)
        for stage in [SMTPStage.mail, .data, .body, .finalDot] {
            #expect(try !Self.verdict("550 \(status) No", at: stage).reason.suppressesAddress)
        }
    }

    @Test("a code for the relay's own fault is retried, except for a mail that is too big")
    func relaysOwnFault() throws {
        for stage in [SMTPStage.rcpt, .data, .body, .finalDot] {
            #expect(try Self.verdict("554 5.3.0 No", at: stage) == Verdict(.relay, .again, .relayNotReady))
            #expect(try Self.verdict("552 5.3.4 No", at: stage) == Verdict(.message, .final, .messageTooBig))
        }
    }

    @Test("refusals that name the address are told from refusals that may be the relay's own view")
    func namingTheAddress() {
        let naming = FailureReason.allCases.filter(\.namesAddress)
        #expect(
            naming == [
                .unknownRecipient, .badDomain, .mailboxDisabled, .mailboxFull, .unusableRecipient,
            ]
        )
    }

    @Test("a refusal about us never blames the address, and says where to fix it")
    func aboutUs() {
        let unmendable: Set<FailureReason> = [.quotaExceeded, .rateLimited, .senderDeferred]
        let reasons: Set<FailureReason> = [
            .quotaExceeded, .rateLimited, .senderDeferred, .senderRefused, .accountRefused, .heloRefused,
            .addressBlocked, .reverseDNSMissing, .spfFailed, .dkimFailed, .dmarcFailed, .domainNotAuthenticated,
            .authenticationRefused, .authenticationRequired, .encryptionRequired, .relayingDenied,
        ]
        for reason in reasons {
            #expect(!reason.blamesAddress && !reason.namesAddress && !reason.suppressesAddress, "\(reason)")
            #expect((Remedy(reason) == nil) == unmendable.contains(reason), "\(reason)")
        }
        #expect(Remedy(.reverseDNSMissing)?.place.contains("PTR") == true)
        #expect(Remedy(.spfFailed)?.place.contains("SPF") == true)
        #expect(Remedy(.dkimFailed)?.place.contains("DKIM") == true)
        #expect(Remedy(.dmarcFailed)?.place.contains("DMARC") == true)
        for rule in FailurePolicy.rules where rule.fault == .configuration {
            #expect(Remedy(rule.reason) != nil, "\(rule.tableRow)")
        }
    }

    @Test(
        "a refusal may be about the parameters if its code or its words say so, at MAIL and RCPT only",
        arguments: [
            ("501 5.5.4 Error: Bad NOTIFY parameter syntax", true), ("553 ORCPT address syntax error", true),
            ("555 RCPT TO parameters not recognized or not implemented", true), ("500 Syntax error", true),
            ("504 Command parameter not implemented", true), ("550 5.5.4 Invalid", true), ("550 5.5.2 Syntax", true),
            ("554 Unsupported option: RET", true), ("550 DSN is not accepted here", true),
            ("550 5.1.1 User unknown", false), ("450 4.2.1 Mailbox busy", false), ("451 DSN not now", false),
            ("552 5.2.2 Mailbox full", false), ("530 5.7.0 Authentication required", false),
        ]
    )
    func parameters(reply: String, mayConcern: Bool) throws {
        let cause = TransmissionCause.reply(try #require(SMTPReply(lines: [reply])))
        for stage in SMTPStage.allCases {
            let failure = TransmissionFailure(stage: stage, cause: cause, detail: "")
            let isExpected = mayConcern && (stage == .mail || stage == .rcpt)
            #expect(FailurePolicy.mayConcernParameters(failure) == isExpected, "\(stage)")
        }
        let lost = TransmissionFailure(stage: .rcpt, cause: .connectionLost, detail: "")
        #expect(!FailurePolicy.mayConcernParameters(lost))
    }

    @Test(
        "docs/failures.md shows the tables that the code uses",
        arguments: [FailurePolicy.rules.map(\.tableRow), Remedy.tableRows]
    )
    func document(table: [String]) throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/failures.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let rows = table.joined(separator: "\n")
        #expect(text.contains("\n\(rows)\n"), "docs/failures.md should hold these rows:\n\(rows)")
    }
}
