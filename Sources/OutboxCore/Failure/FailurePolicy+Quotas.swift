// The rules about how much we may send, and how fast, read from a reply's words.

extension FailurePolicy {
    /// How long a relay is paused after it finds us too fast or our connections too many: the pool's own shortest
    /// pause.
    package static let ratePause = Duration.seconds(1)
    /// How long a relay is paused for a quota per minute. Each probe may cost one refusal; at most six such pauses fit
    /// into the minute.
    package static let minutePause = Duration.seconds(10)
    /// How long a relay is paused for a quota per hour, or of an unspecified period. Waiting messages are late by at
    /// most this much once the hour is over.
    package static let hourPause = Duration.seconds(5 * 60)
    /// How long a relay is paused for a quota per day: the providers count the last 24 hours, so some mail passes again
    /// before the day is over.
    package static let dayPause = Duration.seconds(15 * 60)
    /// How long a relay is paused when the month's quota or the credits are used up: somebody must pay.
    package static let monthPause = Duration.seconds(60 * 60)

    /// Our quota is used up; at any stage and with any code.
    ///
    /// Google's 5.4.5 "Daily user sending limit exceeded" and "Daily SMTP relay limit exceeded"; Exchange Online's
    /// SubmissionQuotaExceeded and 5.1.90; Amazon SES's "Daily message quota exceeded"; cPanel's "has exceeded the max
    /// emails per hour"; GoDaddy's "has exceeded its 24-hour sending limit", IB504 and IB607; postfwd's "Number messages
    /// per hour exceeded"; SendGrid's "Maximum credits exceeded"; QQ and NetEase (MI:STC, RP:TRC: a day's).
    static let quotas: [FailureRule] =
        [
            quota(of: "a-month", pause: monthPause, or: "credit*/credits & {exceeded}/{not}/insufficient/enough/low"),
            quota(
                of: "a-day",
                pause: dayPause,
                or: "you/youve sent & {a-day}",
                "you have sent & {a-day}",
                "mi stc",
                "rp trc",
                "hl itc"
            ),
            quota(of: "an-hour", pause: hourPause),
            quota(of: "a-minute", pause: minutePause, or: "mi sfq", "rp qrc"),
            quota(of: "a-second", pause: ratePause, reason: .rateLimited),
        ] + [
            FailureRule(
                .reply(
                    "4xx",
                    "5xx",
                    words: "sending/submission/relay/relaying/outgoing/outbound {limit} & {exceeded}",
                    "sending/submission/relay/relaying/outgoing/outbound {limit} … full",
                    "your outgoing/outbound … {limit} & {exceeded}",
                    "has/have/youve sent … {limit}",
                    "sending/submission/relay/relaying/outgoing/outbound {mails} {limit} & {exceeded}",
                    unless: ["{size}", "{receives-too-much}"]
                ),
                .relay,
                .again,
                .quotaExceeded,
                pause: hourPause
            ),
            FailureRule(
                .reply(
                    "4xx",
                    "5xx",
                    words: "submission*/relay*/sender* … {limit} & {exceeded}",
                    "{exceeded} … your/sending/submission*/relay*/outgoing/outbound … {limit}",
                    "tenant/organization/plan/subscription & {limit} & {exceeded}",
                    "your … {limit} … {exceeded}",
                    "you have/youve … {exceeded} … {limit}",
                    "sender* … {exceeded} … {limit}",
                    "exceed* permitted/allowed/authorized … {limit}",
                    "{mails} count … {limit} & {exceeded}",
                    unless: [
                        "{mailbox}", "{size}", "{connections}", "{too-fast}", "{receives-too-much}",
                        "over the/its/his/her/their/allowed/disk quota", "trying/tried to reach/contact",
                    ]
                ),
                .relay,
                .again,
                .quotaExceeded,
                pause: hourPause
            ),
            // Before RCPT, the words can't be about a mailbox.
            FailureRule(
                .reply("4xx", "5xx", words: "{limit} & {exceeded}", unless: ["{size}", "{connections}", "rate*"]),
                at: [.connect, .tls, .ehlo, .startTLS, .auth, .mail],
                .relay,
                .again,
                .quotaExceeded,
                pause: hourPause
            ),
        ]

    private static func quota(
        of period: String,
        pause: Duration,
        reason: FailureReason = .quotaExceeded,
        or others: WordPattern...
    ) -> FailureRule {
        let words = [
            "{limit}/{exceeded}/only/allowed/permitted & {mails}/{sending} & {\(period)}",
            "{limit} & {exceeded} & {\(period)}",
            "{\(period)} … {limit}",
            "# {mails} & {\(period)}",
        ].map { WordPattern($0) }
        return FailureRule(
            .reply(
                codes: ["4xx", "5xx"],
                status: [],
                words: words + others,
                unless: ["{size}", "storage/disk/full", "{receives-too-much}"]
            ),
            .relay,
            .again,
            reason,
            pause: pause
        )
    }

    /// We send too fast, or too much at a time.
    ///
    /// Amazon SES's "Maximum sending rate exceeded", Yahoo's TSS04 and "Max message per connection reached",
    /// Microsoft's RP-001, Google's 4.7.28, Orange's "Trop de connexions", Mail.ru's "Ratelimit exceeded for mailbox"
    /// (of the sender), QQ's "frequency limited", NetEase's HL:IFC and HL:ICC, Mimecast's "Exceeding outbound thread
    /// limit", Postfix's anvil. If the reply gives a reputation as the reason, our address is at fault, and waiting
    /// doesn't help.
    static let rates: [FailureRule] = [
        FailureRule(
            .reply(
                "4xx",
                "5xx",
                words: "{too-fast}",
                "too many/much outgoing/outbound/sends",
                "too many/much {mails}/{connections}/error*/command*/attempt*/transaction*/invalid/unknown",
                "too many/much … from/via … ip/host/you/server/client",
                "trop … connexions/messages/mails",
                "{connections} & {limit}/{exceeded}",
                "{limit} … per {connections}",
                "numerous attempts",
                "hl ifc/icc",
                "mi dmc/cel/ccl",
                "rp drc/ccl/cel",
                unless: [
                    "{bad-standing}", "{blocklist}", "too many … {mailbox}", "{mailbox} full", "{size}", "mail data",
                    "mailbox … too many", "user … too many messages on", "account/user … too many messages stored",
                    "recipient/user/mailbox unknown … too many", "too many hop*/related",
                ]
            ),
            .relay,
            .again,
            .rateLimited,
            pause: ratePause
        )
    ]
}
