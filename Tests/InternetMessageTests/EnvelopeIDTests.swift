// Envelope ids for mails that are in no outbox.

import InternetMessage
import TestSupport
import Testing

@Suite("An envelope id")
struct EnvelopeIDTests {
    @Test("has the schema's form: the time and random digits, and another one each time")
    func made() throws {
        var generator = SplitMix(seed: 1)
        let ids = (0..<100).map { _ in EnvelopeID.make(at: 1_795_442_400_000, using: &generator).text }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.utf8.count == EnvelopeID.usualLength && $0.hasPrefix("01a2") })
        #expect(EnvelopeID.make(at: 0, using: &generator).text.hasPrefix("000000000000"))
    }
}
