// Texts from outside that people read in terminals and logs.

import InternetMessage
import Testing

@Suite("A text from outside") struct ControlCharacterTests {
    @Test("is shown without the characters that can't be seen")
    func visible() {
        #expect("a\u{1B}[2Jb\r\nc".onOneVisibleLine == "a [2Jb c")
        #expect("a\u{202E}b\u{200B}c\u{E0041}d\u{FEFF}".onOneVisibleLine == "a b c d ")
        #expect("東京 Grüße".onOneVisibleLine == "東京 Grüße")
    }

    @Test("is escaped for a log, so that it moves no cursor and begins no line")
    func escaped() {
        #expect("a\u{1B}[2J\u{9B}\u{2028}\u{7F}b".escaped == #"a\u{1B}[2J\u{9B}\u{2028}\u{7F}b"#)
        #expect("\"a\\b\"\r\nc".escaped == #"\"a\\b\"\r\nc"#)
    }

    @Test("is cut to 80 scalars in an error, however many of them are one character")
    func printable() {
        #expect(("e" + String(repeating: "\u{301}", count: 9000)).printable.unicodeScalars.count == 80)
        #expect("a\u{1B}\n".printable == "a??")
    }
}
