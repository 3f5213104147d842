// How many mails a connection carries, on values.

import OutboxCore
import Testing

@testable import SMTPTransport

@Suite struct MailsPerConnectionTests {
    @Test("a limit of mails is learnt from two equal refusals, and not from different ones")
    func learntLimit() {
        var limits = MailsPerConnection(configured: 100)
        #expect(limits.limit(offered: nil) == 100 && limits.limit(offered: 20) == 20)
        #expect(limits.limit(offered: 500) == 100)
        for count in [0, 0, 50, 49, 50] { limits.refusedAnother(after: count) }
        // One more mail than that shows that the refusal had another reason.
        limits.accepted(51)
        limits.refusedAnother(after: 50)
        limits.accepted(50)
        #expect(limits.learnt == nil)
        limits.refusedAnother(after: 50)
        #expect(limits.limit(offered: nil) == 50 && limits.limit(offered: 20) == 20)
        #expect(limits.relayLimit(offered: nil) == 50 && limits.relayLimit(offered: 20) == 20)
        #expect(limits.relayLimit(offered: 60) == 50)
        #expect(MailsPerConnection(configured: 100).relayLimit(offered: nil) == nil)
        #expect(MailsPerConnection(configured: 100).relayLimit(offered: 500) == 500)
    }

    @Test(
        "MAILMAX of LIMITS is read from EHLO's answer",
        arguments: [
            ("LIMITS MAILMAX=1000", 1000), ("limits RCPTMAX=5 mailmax=7 RCPTDOMAINMAX=1", 7), ("LIMITS", nil),
            ("LIMITS MAILMAX=0", nil), ("LIMITS MAILMAX=many", nil), ("LIMITS MAILMAX=99999999999999999999", nil),
        ] as [(String, Int?)]
    )
    func announced(line: String, limit: Int?) {
        #expect(OfferedExtensions(answer: ["250-relay.example", "250 \(line)"]).mailsPerConnection == limit)
    }
}
