// The delays that temporary refusals ask for in words.

import InternetMessage
import OutboxCore
import Testing

@Suite struct RetryRequestTests {
    @Test(
        "common wordings are understood",
        arguments: [
            ("Greylisted, please try again in 5 minutes", 300), ("try again in 45 seconds.", 45),
            ("Greylisted for 300 seconds (see http://postgrey.example/)", 300), ("Please retry after 00:04:58", 298),
            ("come back in 02:30", 150), ("Try again in 1 hour", 3600), ("retry in 90s", 90),
            ("greylisting in action, please come back in 00:01:00", 60),
        ]
    )
    func wordings(text: String, seconds: Int) throws {
        #expect(try retryAfter(text) == .seconds(seconds))
    }

    @Test(
        "other texts and implausible delays are ignored",
        arguments: [
            "Greylisted", "try again in 0 seconds", "try again in 3601 seconds", "try again in 2 hours",
            "try again in 99999999999999999999 seconds", "error in 5 parts", "in", "try again in -5 minutes",
            "see rfc 5321 for 4 details", "try again in 1:2:3:4",
        ]
    )
    func unbelievable(text: String) throws {
        #expect(try retryAfter(text) == nil)
    }

    private func retryAfter(_ text: String) throws -> Duration? {
        let reply = try #require(SMTPReply(lines: ["451 4.7.1 \(text)"]))
        let failure = TransmissionFailure(stage: .rcpt, cause: .reply(reply), detail: "")
        return FailurePolicy.verdict(for: failure).retryAfter
    }
}
