// Codes are read octet by octet, with the result that a plain reading by parts gives.

import InternetMessage
import TestSupport
import Testing

@Suite struct ReplySyntaxTests {
    private static func text(of pieces: [String], _ random: inout SplitMix) -> String {
        (0..<Int.random(in: 0...7, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }

    @Test("an enhanced status code has three numbers of one to three digits")
    func enhancedStatus() {
        var random = SplitMix(seed: 2)
        var found = 0
        for _ in 0..<50_000 {
            let text = Self.text(of: ["2", "5", "4", "0", "9", "12", ".", ".", ".1.", "-", " ", "٥"], &random)
            let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let numbers = parts.compactMap { part in
                (1...3).contains(part.count) && part.allSatisfy(\.isASCIIDigit) ? Int(String(Substring(part))) : nil
            }
            let isStatus = parts.count == 3 && numbers.count == 3 && [2, 4, 5].contains(numbers[0])
            let expected = isStatus ? EnhancedStatusCode(numbers[0], numbers[1], numbers[2]) : nil
            #expect(EnhancedStatusCode(text) == expected, "\(text.debugDescription)")
            if isStatus { found += 1 }
        }
        #expect(found > 100, "\(found)")
    }

    @Test("a reply code is the number in the first three characters, and an accent makes another character of a digit")
    func replyCode() {
        var random = SplitMix(seed: 3)
        var found = 0
        for _ in 0..<50_000 {
            let line = Self.text(of: ["2", "5", "0", "9", "250", "-", "+", " ", "\u{301}", "٥", "\r\n", "x"], &random)
            let code = Int(line.prefix(3)).flatMap { (200...599).contains($0) ? $0 : nil }
            #expect(SMTPReply(lines: [line])?.code == code, "\(line.debugDescription)")
            if code != nil { found += 1 }
        }
        #expect(found > 100)
        #expect(SMTPReply(lines: ["250\u{301} x"]) == nil)
    }

    @Test("a reply in a server's form has the parts that it has, each behind a space")
    func description() {
        let status = EnhancedStatusCode(2, 0, 0)
        #expect(SMTPReply(code: 250, enhancedStatus: status, text: "Ok").description == "250 2.0.0 Ok")
        #expect(SMTPReply(code: 250, enhancedStatus: status, text: "").description == "250 2.0.0")
        #expect(SMTPReply(code: 250, text: "Ok").description == "250 Ok")
        #expect(SMTPReply(code: 250, text: "").description == "250")
    }
}
