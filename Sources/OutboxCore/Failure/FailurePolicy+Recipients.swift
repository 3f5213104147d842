// The rules about the recipient and the content, read from a reply's words. An address is blamed only where the words
// say that its mailbox or its domain doesn't exist or is disabled. If a reply has two readings, the more harmless one
// wins.

extension FailurePolicy {
    /// The mailbox takes no mail at the moment: the message is retried, whatever the code.
    static let recipientForNow: [FailureRule] = [
        // postgrey, milter-greylist, Exchange Online's "Greylisted", Zoho's.
        FailureRule(
            .reply("4xx", "5xx", words: "greylist*", "graylist*", "grey/gray list*", "postgrey"),
            at: untilContent,
            .recipient,
            .again,
            .greylisted
        ),
        // Google's 4.2.1 and 5.2.1 "is receiving mail at a rate that prevents additional messages", Exchange Online's
        // 5.2.121 and 5.2.122 and "recipient thread limit exceeded", Yahoo's "is receiving mail too quickly", QQ's
        // "frequency of receiving messages is limited", iCloud's "Messages to … deferred due to excessive volume".
        FailureRule(
            .reply("4xx", "5xx", words: "{receives-too-much}", "{mails} to @ … volume/rate"),
            at: untilContent,
            .recipient,
            .again,
            .rateLimited
        ),
    ]

    /// A recipient or a closed group rejects the mail by choice; other recipients' mail is not affected.
    static let recipientsChoice: [FailureRule] = [
        // Exchange Online's 5.7.12, 5.7.124 and 5.7.133 to 5.7.136, "rejected by recipient" (5.7.507), its "Customer Block
        // list"; QQ's "Mail is rejected by recipients"; AOL's and Facebook's preferences.
        FailureRule(
            .reply(
                "5xx",
                words: "{own-choice}",
                unless: ["by … recipient server/domain/system/host/mta", "{no-such-user}"]
            ),
            at: untilContent,
            .recipient,
            .final,
            .policyRefusal
        ),
        // Postfix's "SMTPUTF8 is required, but was not offered".
        FailureRule(
            .reply(
                "5xx",
                words: "smtputf8 & {not}/require*/need*/unsupported/unrecogni*/unknown",
                "{non-ascii} & address*/recipient*/mailbox*/{mails}/local & {refused}/{not}/unsupported",
                unless: ["{sender}", "header*"]
            ),
            at: withinMail,
            .recipient,
            .final,
            .smtpUTF8Unsupported
        ),
    ]

    /// The same reasons, given by a code alone.
    static let recipientsByCode: [FailureRule] = [
        // Exchange Online: too much mail for one recipient, from us or from everybody.
        FailureRule(
            .reply("4xx", "5xx", status: "x.2.121", "x.2.122"),
            at: untilContent,
            .recipient,
            .again,
            .rateLimited
        ),
        // Exchange Online: groups and mailboxes that take mail from some senders only.
        FailureRule(
            .reply("5xx", status: "x.7.124", "x.7.133", "x.7.134", "x.7.135", "x.7.136"),
            at: untilContent,
            .recipient,
            .final,
            .policyRefusal
        ),
        // RFC 6531 §3.5.
        FailureRule(
            .reply("5xx", status: "x.6.7", unless: ["{sender}"]),
            at: withinMail,
            .recipient,
            .final,
            .smtpUTF8Unsupported
        ),
    ]

    /// The mailbox, its address, and problems of the mail itself.
    static let recipients =
        mail(refusedBy: ["{virus}"], .contentRefused) + policy(refusedBy: ["{spam}"]) + full
        + temporaryInSpiteOfTheCode + policy(refusedBy: ["{policy}"]) + dead

    private static let full: [FailureRule] = [
        // "Mailbox full", "over quota", whatever the code: Orange's 552 5.1.1 "Recipient overquota", Google's 5.7.1
        // "email quota exceeded", qmail's "User over quota. (#5.1.1)". Earlier rules have already matched our own
        // quotas.
        FailureRule(
            .reply("4xx", words: "{over-quota}", "quota*", unless: ["system storage/resources", "device", "queue"]),
            at: untilContent,
            .recipient,
            .again,
            .mailboxFull
        ),
        FailureRule(
            .reply("5xx", words: "temporar* … over/full/quota*/exceed*"),
            at: untilContent,
            .recipient,
            .again,
            .mailboxFull
        ),
        FailureRule(
            .reply(
                "5xx",
                words: "{over-quota}",
                "quota*",
                "user … too many messages",
                "account … too many messages stored"
            ),
            at: untilContent,
            .recipient,
            .final,
            .mailboxFull
        ),
        FailureRule(
            .reply(
                "5xx",
                words: "{mails}/size/attachment* … too large/big",
                "size … exceed*/limit*",
                "exceed* … size",
                "{mails} length exceed*"
            ),
            at: withinMail,
            .message,
            .final,
            .messageTooBig
        ),
    ]

    /// "550 5.2.1 … temporarily disabled", "554 … try again later": a retry may succeed tomorrow, or in a minute.
    private static let temporaryInSpiteOfTheCode: [FailureRule] = [
        // The relay could not look up the mailbox, but used the code for a mailbox that doesn't exist.
        FailureRule(
            .reply(
                "5xx",
                words: "{look-up} … fail*/error/errors/unavailable/timeout/timed",
                "fail*/error/errors/timeout … {look-up}",
                "{not} connect",
                "unknown/internal error",
                unless: ["user/recipient/mailbox/account unknown", "unknown user/recipient/mailbox", "no such user*"]
            ),
            at: untilContent,
            .recipient,
            .again,
            .recipientDeferred
        ),
        // "Check the address and try again" doesn't ask for a retry with the same address.
        FailureRule(
            .reply("5xx", words: "try again", unless: ["check*/correct*/verify/confirm/spell*"]),
            at: [.rcpt],
            .recipient,
            .again,
            .recipientDeferred
        ),
        FailureRule(
            .reply("5xx", words: "{temporarily}", unless: ["{no-such-user}"]),
            at: [.rcpt],
            .recipient,
            .again,
            .recipientDeferred
        ),
        FailureRule(
            .reply("5xx", words: "{temporarily}", unless: ["{no-such-user}"]),
            at: content,
            .message,
            .again,
            .messageDeferred
        ),
    ]

    private static let dead: [FailureRule] = [
        // Postfix's "Host or domain name not found", Exchange's NonExistentDomain; RFC 7505's null MX.
        FailureRule(
            .reply(
                "5xx",
                words: "domain*/host/hostname/exchanger … {unknown}",
                "{unknown} … domain*/host/hostname",
                "no such domain*/host",
                "nonexistent/invalid domain",
                "nxdomain",
                "null mx",
                "no mx/mail exchanger/server … domain*/host",
                "domain* … {not} accept* … mail/email/emails",
                unless: [
                    "user*/mailbox*/account*/alias* … {unknown}", "unknown user/recipient/mailbox", "no such user",
                    "{unexplained}",
                ]
            ),
            at: untilContent,
            .recipient,
            .final,
            .badDomain
        ),
        // Postfix's "User unknown in local recipient table", Exim's "Unrouteable address" and "No Such User Here", Google's
        // "The email account that you tried to reach does not exist", Exchange Online's RecipientNotFound (5.1.10, which
        // RFC 7505 has for null MX), Yahoo's "This user doesn't have a yahoo.com account", qmail's badrcptto.
        FailureRule(
            .reply("5xx", words: "{no-such-user}", unless: ["{unexplained}"]),
            at: untilContent,
            .recipient,
            .final,
            .unknownRecipient
        ),
        // Yahoo's "no longer valid" and "This mailbox is disabled", Google's 5.2.1, GoDaddy's "Account disabled".
        FailureRule(
            .reply(
                "5xx",
                words:
                    "{addressee}/@ … disabled/deactivat*/discontinu*/closed/terminated/deleted/removed/retired/defunct",
                "disabled/deactivated/discontinued/closed/deleted/expired … {addressee}",
                "trying/tried to reach/contact … disabled/deactivated",
                "{addressee} … expired",
                "{addressee}/@ … no longer",
                "no longer … {addressee}",
                unless: ["your … {addressee}", "from … list"]
            ),
            at: untilContent,
            .recipient,
            .final,
            .mailboxDisabled
        ),
    ]

    /// A policy refusal, whose words override a code that blames the address.
    private static func policy(refusedBy words: [WordPattern]) -> [FailureRule] {
        [
            FailureRule(
                .reply(codes: ["5xx"], status: [], words: words, unless: []),
                at: [.rcpt],
                .recipient,
                .final,
                .policyRefusal
            )
        ] + mail(refusedBy: words, .policyRefusal, at: content)
    }

    private static func mail(
        refusedBy words: [WordPattern],
        _ reason: FailureReason,
        at stages: [SMTPStage] = untilContent
    ) -> [FailureRule] {
        [
            FailureRule(
                .reply(codes: ["5xx"], status: [], words: words, unless: []),
                at: stages,
                .message,
                .final,
                reason
            )
        ]
    }
}
