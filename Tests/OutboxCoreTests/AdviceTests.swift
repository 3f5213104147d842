// The codes of the view's column.

import OutboxCore
import Testing

@Suite struct AdviceTests {
    @Test("several codes come in the order to follow, and unknown ones are left out")
    func codes() {
        #expect(Advice.codes(in: "check-junk,resend") == [.checkJunk, .resend])
        #expect(Advice.codes(in: "wait") == [.wait])
        #expect(Advice.codes(in: "invented-later,wait") == [.wait])
        #expect(Advice.codes(in: "") == [])
    }
}
