// The codes of the view's column.

import OutboxCore
import Testing

@Suite struct AdviceTests {
    @Test("several codes keep their order, and unknown codes are ignored")
    func codes() {
        #expect(Advice.codes(in: "check-junk,resend") == [.checkJunk, .resend])
        #expect(Advice.codes(in: "wait") == [.wait])
        #expect(Advice.codes(in: "invented-later,wait") == [.wait])
        #expect(Advice.codes(in: "") == [])
    }

    @Test("every code has its own sentence in every language", arguments: Advice.Language.allCases)
    func sentences(language: Advice.Language) {
        let sentences = Advice.allCases.map { $0.sentence(in: language) }
        #expect(Set(sentences).count == Advice.allCases.count)
        #expect(sentences.allSatisfy { $0.hasSuffix(".") || $0.hasSuffix("。") })
        let isJapanese = sentences.map { sentence in sentence.unicodeScalars.contains { $0.value >= 0x3040 } }
        #expect(isJapanese == Advice.allCases.map { _ in language == .japanese })
    }
}
