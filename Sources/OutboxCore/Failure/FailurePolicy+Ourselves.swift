// The rules about us, by a reply's words and by codes that mean nothing else: our DNS records, host name, address, sender and account. An operator
// must fix each of these problems outside of the mail, so none of them ends a message.

extension FailurePolicy {
    /// The DNS records by which a receiver knows our address and our domain.
    static let ourDNS: [FailureRule] = [
        // RFC 7372 §3.3: x.7.25 is a failed reverse look-up. Google uses 4.7.23 as well, Postfix words alone
        // (reject_unknown_client_hostname, reject_unknown_reverse_client_hostname).
        FailureRule(.reply("4xx", "5xx", words: "{reverse-dns}"), .configuration, .again, .reverseDNSMissing),
        FailureRule(.reply("4xx", "5xx", status: "x.7.25"), .configuration, .again, .reverseDNSMissing),
        // Outlook.com writes the three results behind 5.7.515: "Spf= Fail , Dkim= Pass , DMARC= Pass".
        FailureRule(
            .reply("4xx", "5xx", status: "x.7.515", words: "spf fail*/none", unless: ["dkim fail*/none"]),
            .configuration,
            .again,
            .spfFailed
        ),
        FailureRule(
            .reply("4xx", "5xx", status: "x.7.515", words: "dkim fail*/none", unless: ["spf fail*/none"]),
            .configuration,
            .again,
            .dkimFailed
        ),
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                status: "x.7.515",
                words: "dmarc fail*/none",
                unless: ["spf fail*/none", "dkim fail*/none"]
            ),
            .configuration,
            .again,
            .dmarcFailed
        ),
        FailureRule(.reply("4xx", "5xx", status: "x.7.515"), .configuration, .again, .domainNotAuthenticated),
        // Exchange Online's 5.7.509; Google: "not accepted due to domain's DMARC policy"; iCloud, Zoho, Tencent, Orange.
        FailureRule(.reply("4xx", "5xx", words: "{dmarc}"), .configuration, .again, .dmarcFailed),
        // RFC 7372 §3.4: x.7.26 means that several checks failed. Google: "must authenticate with either SPF or DKIM".
        FailureRule(.reply("4xx", "5xx", words: "{spf} & {dkim}"), .configuration, .again, .domainNotAuthenticated),
        // RFC 7372 §3.1: x.7.20 to x.7.22 are about DKIM; §3.2: x.7.23 and x.7.24 about SPF, x.7.27 in Google's replies.
        FailureRule(.reply("4xx", "5xx", words: "{dkim}"), .configuration, .again, .dkimFailed),
        FailureRule(
            .reply("4xx", "5xx", status: "x.7.20", "x.7.21", "x.7.22", "x.7.30"),
            .configuration,
            .again,
            .dkimFailed
        ),
        FailureRule(.reply("4xx", "5xx", words: "{spf}"), .configuration, .again, .spfFailed),
        FailureRule(
            .reply("4xx", "5xx", status: "x.7.23", "x.7.24", "x.7.27"),
            .configuration,
            .again,
            .spfFailed
        ),
        FailureRule(.reply("4xx", "5xx", status: "5.7.509", "4.7.32"), .configuration, .again, .dmarcFailed),
        // Yahoo's 5.7.9: "the sender is unauthenticated".
        FailureRule(
            .reply("4xx", "5xx", words: "{unauthenticated}"),
            .configuration,
            .again,
            .domainNotAuthenticated
        ),
        FailureRule(.reply("4xx", "5xx", status: "x.7.26"), .configuration, .again, .domainNotAuthenticated),
    ]

    /// The name that we send in EHLO, and the relay's demands before it takes a mail.
    static let ourName: [FailureRule] = [
        // Postfix (reject_invalid_helo_hostname and the like, checked at RCPT by default), Exim, Exchange Online's
        // 5.7.506, Google's "HELO/EHLO argument is invalid". "Polite people say HELO first" is about the order of
        // commands.
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                words: "{helo} & {refused}/{faulty}",
                "{helo} & require*/need*/fully/fqdn",
                "need* fully qualified",
                unless: ["first"]
            ),
            .configuration,
            .again,
            .heloRefused
        ),
        // RFC 3207 §4: 530 "Must issue a STARTTLS command first"; Google's "TLS required for RCPT domain".
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                words: "must/please … starttls/tls/encrypt*",
                "starttls/tls/ssl/encrypt* … required/needed/mandatory/first/before",
                "require* … tls/starttls/encrypt*",
                "cleartext/plaintext … {not}"
            ),
            .configuration,
            .again,
            .encryptionRequired
        ),
        // Replies with 550, 553 or 554 where RFC 4954 §6 specifies 530: Exchange, MailEnable, NetEase, La Poste.
        FailureRule(
            .reply(
                "5xx",
                words: "authenti* … required/needed/necessary/mandatory/requise",
                "auth … required/needed",
                "require* … authenti*",
                "must/please/need … authenticate/login/log",
                "client was/is {not} authenticated",
                unless: ["{own-choice}"]
            ),
            at: withinMail,
            .configuration,
            .again,
            .authenticationRequired
        ),
    ]

    /// Our sender's address or identity, which many relays check only at RCPT or after the content.
    static let ourSender: [FailureRule] = {
        // Postfix's "Sender address rejected", Exim's "Sender verify failed" (behind the callout's own "No Such User
        // Here"), Exchange's SendAsDenied and 5.7.60, Amazon SES's "Email address is not verified", SendGrid's "from
        // address does not match a verified Sender Identity", SparkPost's "Unconfigured Sending Domain", GoDaddy's IB506.
        let words: [WordPattern] = [
            "{sender} … {refused}/{faulty}",
            "{refused}/{faulty} … {sender}",
            "mail from {refused}/{not}",
            "{faulty} mail from",
            "send/sending/sent as & {refused}/{not}",
            "send/sending … behalf & {refused}/{not}",
            "{not} … send/sending/submit from/as",
            "{not} … use … {sender}",
            "identities/identity … fail*",
            "{not} own*/owner",
            "domain*/email/emails … {not} … verified/confirmed/configured/registered/validated",
            "unverified/unconfirmed/unregistered/unconfigured … domain*/identit*",
            "domain* … {not} allowed/permitted/authori* … send*/relay*",
            "{not} … verified/confirmed & address/addresses/{sender}",
            "without/missing/lacks … valid … sender/from",
            "sender* … empty/missing",
            "{not} know … {sender}",
            "{sender} … must",
            "missing … in from",
            "no mx … your domain",
            // The relay searches for us in a list of permitted senders: "no such user in the access list of senders".
            "{not} & list/lists/table/map/database/acl … {sender}",
            "{sender} … {not} … list/lists/table/map/database/acl",
            "no such {sender}",
            "no such user/account/mailbox/address … for/of/in/among … {sender}",
        ]
        let unless: [WordPattern] = [
            "recipient* … {faulty}", "unverified/undeliverable address", "return* … sender",
            "contact/notify/inform/ask/tell … sender", "to the sender", "{relaying}",
        ]
        return [
            FailureRule(
                .reply("5xx", words: "{sender} … rejected/refused", "{sender} … verify fail*"),
                at: withinMail,
                .configuration,
                .again,
                .senderRefused
            )
        ]
            + [("5xx", Verdict.Fault.configuration, FailureReason.senderRefused), ("4xx", .relay, .senderDeferred)].map
        {
            FailureRule(
                .reply(codes: [$0.0], status: [], words: words, unless: unless),
                at: withinMail,
                $0.1,
                .again,
                $0.2
            )
        }
    }()

    /// Our IP address: blocklists, reputation, networks that may not send.
    static let ourAddress: [FailureRule] = [
        // Postfix's "Client host [192.0.2.1] blocked using zen.spamhaus.org" and "Client host rejected", Microsoft's S3140,
        // 5.7.511 and 5.7.606 to 649, Yahoo's BL and TSS codes, Google's 5.7.1 "very low reputation of the sending IP",
        // GoDaddy's IB103 to IB113, Proofpoint, Cloudmark; NetEase's HL:IHU and DT:RBL; ZoneMTA's list of such replies.
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                words: "{our-host} & {refused}/{listed}",
                "{blocklist}",
                "{bad-standing}",
                "your access & {refused}",
                "{our-host} … {not} sent",
                "country/geograph* & {refused}",
                "hl ihu/rep/ipb/mep",
                "dt rbl",
                unless: ["{no-such-user}", "{relaying}", "url*/link* in"]
            ),
            .configuration,
            .again,
            .addressBlocked
        )
    ]

    /// Our account at the relay's provider.
    static let ourAccount: [FailureRule] = [
        // Amazon SES: "Sending paused for this account", "not authorized to perform ses:SendRawEmail"; Google's "Mail
        // Sending denied"; Mailgun's "Domain … is not allowed to send: Please activate your account"; Brevo's "Your SMTP
        // account is not yet activated"; Exchange's 5.7.705; cPanel's "outgoing mail has been suspended".
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                words: "{our-account} & {stopped}",
                "sending/outbound/outgoing/submission … {stopped}",
                "outgoing/outbound {mails} & suspend*/disabl*/paus*",
                "you … been/were/are blocked/suspended/disabled/banned/restricted",
                "suspend*/disabl*/paus*/blocked/banned/prevented … sending/your … account",
                "{not} authori*/allowed/permitted … perform",
                "send raw email",
                "blocked/banned/prevented from sending",
                "free/trial/test/demo account*/plan*",
                "account {not} subscribed",
                "{not} … activate/activated & account",
                "activate your … account",
                unless: ["{relaying}", "{spam}", "{virus}", "{policy}"]
            ),
            .configuration,
            .again,
            .accountRefused
        ),
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                words: "{not} … allowed/permitted/authori*/enabled/entitled/able … send/sending/submit",
                unless: ["send … to", "send/mail/mails/email to", "{relaying}", "{no-such-user}"]
            ),
            at: withinMail,
            .configuration,
            .again,
            .accountRefused
        ),
    ]
    /// The relay refuses to relay, at RCPT, or after the content like Exchange Online's TenantAttribution (5.7.64).
    static let relaying: [FailureRule] = [
        FailureRule(.reply("5xx", words: "{relaying}"), at: untilContent, .configuration, .again, .relayingDenied)
    ]

    /// Anything else said about "you", a client or a sender in words that no rule above knows. The reply doesn't
    /// concern the recipient, so no code may end the message or blame the address. Only the reply itself can name the
    /// account or setting, so the log quotes it.
    static let unclearAboutUs: [FailureRule] = [
        FailureRule(
            .reply(
                "5xx",
                words: "{us}",
                unless: [
                    "your message/messages/mail/email/emails/request/recipient/recipients/correspondent", "check your",
                    "if you", "{mails} you sent", "you tried/trying", "you are/were trying", "tried/trying to reach",
                    "{not} have a mailbox", "{mailbox} … full", "{not} our/a customer",
                ]
            ),
            at: withinMail,
            .configuration,
            .again,
            .accountRefused
        )
    ]
}
