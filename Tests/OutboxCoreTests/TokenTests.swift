// No description shows the token.

import OutboxCore
import Testing

@Suite struct TokenTests {
    private let canary = "CANARY-7f3a"

    @Test("neither a token nor a message that holds it prints the secret")
    func redaction() {
        let token = Token(canary)
        let message = Message(
            id: 1,
            kind: "verify-email",
            recipient: "ann@example.com",
            token: token,
            envelopeID: "e",
            requestedAt: Timestamp(milliseconds: 1_800_000_000_000)
        )
        var dumped = ""
        dump(message, to: &dumped)
        dump(token, to: &dumped)
        for text in ["\(token)", "\(message)", String(reflecting: token), String(reflecting: message), dumped] {
            #expect(!text.contains(canary))
        }
        #expect(dumped.contains("<token>"))
    }
}
