// Values that strangers wrote, and what becomes of them: names.tsv has them with their results.

import Foundation
import Testing

@testable import MailTemplates

@Suite struct StrangersTextTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let value: String
        let expected: String
        var testDescription: String { value.debugDescription }
    }

    static let rows: [Row] = {
        guard let url = Bundle.module.url(forResource: "Resources/names", withExtension: "tsv"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { preconditionFailure("names.tsv is not there") }
        return text.split(separator: "\n").dropFirst().map { line in
            let texts = line.split(separator: "\t").map { column -> String in
                guard let members = try? JSONReader.members(of: "{\"text\": \(column)}"),
                    case .string(let text)? = members["text"]
                else { preconditionFailure("no JSON text: \(column)") }
                return text
            }
            return Row(value: texts[0], expected: texts[1])
        }
    }()

    @Test("a value is made harmless, an honest one stays as it is, and doing it again changes nothing", arguments: rows)
    func table(row: Row) {
        let cleaned = StrangersText().cleaned(row.value)
        #expect(Array(cleaned.unicodeScalars) == Array(row.expected.unicodeScalars))
        #expect(StrangersText().cleaned(cleaned) == cleaned)
    }

    @Test("the table has links, addresses, controls and honest names")
    func tableIsWhole() {
        #expect(Self.rows.count == 66)
        #expect(Self.rows.count { $0.value == $0.expected } >= 20)
    }

    @Test("lines stay where the variable has several, and the limit counts scalars")
    func linesAndLimit() {
        #expect(StrangersText(allowsLines: true).cleaned("one\r\ntwo\u{2028}three\u{7}") == "one\ntwo\nthree")
        #expect(StrangersText(limit: 5).cleaned("Łukasz Nowak") == "Łuka…")
        #expect(StrangersText(limit: 5).cleaned("abc defgh") == "abc…")
        // The mark and the joiner of a letter that is cut go with it.
        #expect(StrangersText(limit: 5).cleaned("abc\u{301}\u{301}def") == "abc…")
        #expect(StrangersText(limit: 12).cleaned("Łukasz Nowak") == "Łukasz Nowak")
    }

    @Test("only a value that runs against the text is isolated")
    func isolation() {
        for text in ["Jane", "O'Brien", "山田 太郎", "Łukasz", "😀", "12"] {
            #expect(Isolation.isolated(text, inRightToLeft: false) == text)
        }
        #expect(Isolation.isolated("محمد", inRightToLeft: false) == "\u{2068}محمد\u{2069}")
        #expect(Isolation.isolated("דוד 1", inRightToLeft: false) == "\u{2068}דוד 1\u{2069}")
        #expect(Isolation.isolated("محمد", inRightToLeft: true) == "محمد")
        #expect(Isolation.isolated("Jane", inRightToLeft: true) == "\u{2068}Jane\u{2069}")
        #expect(Isolation.isolated("12", inRightToLeft: true) == "\u{2068}12\u{2069}")
    }
}
