// Why a mail came back: words against codes, with the more harmless reading first.

import InternetMessage
import OutboxCore
import Testing

@Suite struct ReportPolicyTests {
    private func reason(_ status: String?, _ words: String?, hasGivenUp: Bool = false) -> FailureReason {
        var evidence = ReportEvidence()
        evidence.status = status.flatMap { EnhancedStatusCode($0) }
        evidence.diagnostics = [words].compactMap(\.self)
        evidence.hasGivenUp = hasGivenUp
        return FailurePolicy.reason(of: evidence)
    }

    @Test(
        "a mailbox that does not exist is found, whatever words and codes say so",
        arguments: [
            ("5.1.1", nil), ("5.1.6", "551 not our customer"), ("5.0.0", "550 User [ann@example.org] does not exist"),
            ("5.7.1", "550 5.7.1 No such user c18si2365148hub"), ("5.0.0", "550 #5.1.1 bad address ann@example.org"),
            ("5.0.0", "553 sorry, badrcptto(user mail-box not found) (#5.7.1)"),
            ("5.0.0", "550 BAD_RECIPIENT - see http://x.example/?r=1"),
            ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable"),
            ("5.2.0", "550 unknown local-part \"ann\" in domain"),
            ("5.1.1", "550 RESOLVER.ADR.RecipNotFound; not found"),
            ("5.0.0", "554 delivery error: dd This user doesn't have a x.example account"),
            ("5.0.0", "550 5.1.1 <ann@example.org>: Empfänger unbekannt"),
            ("5.0.0", "550 L'utilisateur ann n'existe pas"),
            ("5.0.0", "550 Destinataire inconnu"), ("5.0.0", "550 El usuario no existe"),
            ("5.0.0", "550 Utente sconosciuto"),
            ("5.0.0", "550 Usuário inexistente"), ("5.0.0", "550 gebruiker onbekend"),
            ("5.0.0", "550 Odbiorca nie istnieje"),
            ("5.0.0", "550 Пользователь не найден"), ("5.0.0", "550 宛先のメールアドレスは存在しません"), ("5.0.0", "550 收件人不存在"),
            ("5.0.0", "550 존재하지 않는 사용자입니다"),
            ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"),
        ] as [(String, String?)]
    )
    func unknown(status: String, words: String?) {
        #expect(reason(status, words) == .unknownRecipient)
    }

    @Test(
        "a disabled mailbox and an unknown domain are found",
        arguments: [
            ("5.2.1", nil, .mailboxDisabled),
            ("5.0.0", "551 <ann@example.org> is a deactivated mailbox", .mailboxDisabled),
            ("5.1.1", "550 [SUSPEND] Mailbox currently suspended", .mailboxDisabled),
            ("5.2.1", "550 5.2.1 The email account that you tried to reach is inactive", .mailboxDisabled),
            ("5.1.2", nil, .badDomain), ("5.0.0", "[mx.example.org]: Name or service not known", .badDomain),
            ("4.0.0", "DNS problem: 'mx' of example.org: response code NXDOMAIN", .badDomain),
            (
                "5.4.4",
                "Host or domain name not found. Name service error for name=example.org type=A: Host not found",
                .badDomain
            ),
            ("5.0.0", "556 The domain does not accept mail", .badDomain),
            ("4.0.0", "The domain example.org doesn't receive email: returned Null MX", .badDomain),
            ("5.4.310", "550 5.4.310 DNS domain example.org does not exist", .badDomain),
        ] as [(String, String?, FailureReason)]
    )
    func dead(status: String, words: String?, expected: FailureReason) {
        #expect(reason(status, words) == expected)
    }

    @Test(
        "a good address never counts as dead, whatever the code says",
        arguments: [
            ("5.1.1", "550 5.1.1 sent to too many recipients this hour", .rateLimited),
            ("5.2.1", "550-5.2.1 The user you are trying to contact is receiving mail at a rate that", .rateLimited),
            ("5.1.1", "552 5.2.2 Over quota", .mailboxFull),
            ("5.0.0", "5.1.0 - Unknown address error 552-'5.2.2 Mailbox Full'", .mailboxFull),
            ("5.1.1", "550 RCPT TO:<ann@example.org> max message size exceeded", .messageTooBig),
            ("5.1.1", "553 Sender Policy Framework (SPF) fail", .policyRefusal),
            ("5.1.1", "550 5.7.1 blocked using a blocklist", .policyRefusal),
            ("5.1.1", "550 Helo command rejected: Host not found", .policyRefusal),
            ("5.1.1", "550 5.7.26 unauthenticated: DKIM did not pass", .policyRefusal),
            ("5.1.8", "550 5.1.8 Access denied, bad outbound sender", .senderRefused),
            ("5.0.0", "550 Sender verify failed: No Such User Here", .senderRefused),
            ("5.1.1", "550 5.1.8 Sender address rejected: Domain not found", .senderRefused),
            ("5.1.1", "550 Message rejected: virus found", .contentRefused),
            ("5.1.1", "554 This message appears to be spam", .contentRefused),
            ("5.2.1", "550 4.2.1 mailbox temporarily disabled", .recipientRefused),
            ("5.4.4", "Malformed or unexpected name server reply", .recipientRefused),
            ("5.4.316", "550 5.4.316 Message expired, connection refused", .expired), ("5.0.0", nil, .recipientRefused),
            ("5.1.1", "550 5.7.1 rejected", .policyRefusal),
            ("5.4.6", "mail for example.org loops back to myself", .recipientRefused),
            ("5.0.0", "550 5.7.1 <ann@example.org>: Recipient address rejected: Access denied", .policyRefusal),
            ("4.1.1", "450 4.1.1 User unknown", .expired), ("4.2.2", "452 4.2.2 Mailbox full", .expired),
            ("4.4.1", nil, .expired),
            ("4.4.3", "Name service error: Host not found, try again", .expired),
        ] as [(String, String?, FailureReason)]
    )
    func good(status: String, words: String?, expected: FailureReason) {
        #expect(reason(status, words) == expected)
    }

    @Test(
        "words about a mailbox and about something unknown are not yet a dead address",
        arguments: [
            "unknown error for recipient ann@example.org", "Delivery to recipient failed: unknown error",
            "<ann@example.org>: invalid header in message", "no response from recipient server for user",
            "user has no permission to access mailbox", "your domain does not exist",
            "From does not match authenticated user", "no valid certificate for this address found",
            "bad reply from mailbox server", "your IP address is not in my list of allowed hosts",
            "account temporarily unavailable", "invalid sequence of commands for recipient",
        ]
    )
    func notDead(words: String) {
        #expect(!reason("5.0.0", "550 \(words)").suppressesAddress)
    }

    @Test(
        "an exact code beside unknown words blames no address, unless the words mention only an address",
        arguments: [
            ("5.1.1", "your server has no reverse name, mail not taken"), ("5.1.1", "we do not know this sender"),
            ("5.1.1", "Recipient storage allowance used up"),
            ("5.2.1", "ann@example.org gets more mail than it may at present"),
            ("5.2.1", "The owner is travelling and takes no mail until Monday"),
            ("5.1.1", "Only subscribers may post to this address"),
            ("5.1.1", "message fails the published p=reject of the author's domain"),
            ("5.1.1", "no host name found for IP address 192.0.2.7"), ("5.1.1", "blah"),
            ("5.1.1", "hier geht es heute nicht"), ("5.1.1", "今日は無理です"),
        ]
    )
    func notUnderstood(status: String, words: String) {
        #expect(!reason(status, "550 \(status) \(words)").suppressesAddress)
        #expect(!reason(status, "host mx.example.org[192.0.2.1] said: 550 \(words)").suppressesAddress)
    }

    @Test("unknown words about an address leave its code in force, and so does a reply without words")
    func codesInForce() {
        #expect(reason("5.1.6", "550 5.1.6 The mailbox has moved and exists no more") == .unknownRecipient)
        #expect(reason("5.1.1", "550 5.1.1 <ann@example.org>") == .unknownRecipient)
    }

    @Test("hosts, addresses and links are not words, because names mislead")
    func names() {
        #expect(
            reason(
                "5.1.1",
                "host mx.spam.quota.example[192.0.2.1] said: 550 <virus@full.example>: User unknown https://x.example/blocked"
            ) == .unknownRecipient
        )
        #expect(reason("5.0.0", "550 see https://example.org/no-such-user") == .recipientRefused)
    }

    @Test("a report of giving up says nothing about the address, unless DNS does")
    func givenUp() {
        #expect(reason(nil, "451 4.7.1 greylisted", hasGivenUp: true) == .expired)
        #expect(reason(nil, "550 5.1.1 User unknown", hasGivenUp: true) == .expired)
        #expect(reason(nil, "response code NXDOMAIN", hasGivenUp: true) == .badDomain)
    }

    @Test("a delay never blames the address")
    func delay() {
        var evidence = ReportEvidence()
        evidence.isDelay = true
        evidence.status = EnhancedStatusCode(4, 1, 1)
        evidence.diagnostics = ["450 4.1.1 User unknown"]
        #expect(FailurePolicy.reason(of: evidence) == .recipientDeferred)
        evidence.diagnostics = ["421 4.7.0 too many messages in this hour from 192.0.2.1"]
        #expect(FailurePolicy.reason(of: evidence) == .rateLimited)
    }

    @Test("statements about the recipient take precedence over the rest of the text")
    func passages() {
        var evidence = ReportEvidence()
        evidence.passages = [
            "<ann@example.org>\n    (reason: 550 5.7.1 on our blocklist)",
            "550 5.1.1 <ann@example.org>... User unknown",
        ]
        evidence.text = evidence.passages.joined(separator: "\n\n")
        #expect(FailurePolicy.reason(of: evidence) == .policyRefusal)
        evidence.passages = ["ann@example.org: 550 no such user"]
        evidence.text = "This mail was scanned for viruses and spam."
        #expect(FailurePolicy.reason(of: evidence) == .unknownRecipient)
    }

    @Test(
        "a text says whether the mail system has given up",
        arguments: [
            ("This is a permanent error; I've given up.", .failed),
            ("THIS IS A WARNING ONLY. It will be retried.", .delayed),
            ("Your message is delayed and still being retried.", .delayed), ("再送はいたしません", .failed),
            ("Nachricht unzustellbar", .failed), ("<ann@example.org>: 550 no such user", .failed),
            ("Thank you for your mail.", nil),
        ] as [(String, ReportedAction?)]
    )
    func outcome(text: String, expected: ReportedAction?) {
        var evidence = ReportEvidence()
        evidence.text = text
        #expect(FailurePolicy.outcome(in: evidence) == expected)
    }
}
