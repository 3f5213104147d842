// A row's variables: however deep, large or odd they are, they never end the daemon.

import Foundation
import MailComposer
import OutboxCore
import Synchronization
import Testing

@Suite("A row's variables")
struct VariablesTests {
    /// The kind of nesting.
    enum Nesting: CaseIterable {
        case objects, arrays, both, unfinished

        /// JSON with this many levels.
        func text(depth: Int) -> String {
            switch self {
            case .objects: String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
            case .arrays:
                #"{"a":"# + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "}"
            case .both:
                (0..<depth).map { $0.isMultiple(of: 2) ? #"{"a":"# : "[" }.joined() + "1"
                    + (0..<depth).reversed().map { $0.isMultiple(of: 2) ? "}" : "]" }.joined()
            case .unfinished: String(repeating: #"{"a":"#, count: depth)
            }
        }
    }

    /// Composes a message with these variables on a thread with the stack size of a lane.
    private static func compose(
        _ variables: String,
        text: String = "Text\n"
    ) async throws -> Result<Mail, CompositionError> {
        let composer = try Fixtures.composer(text: text, sample: #"{"a": "x", "b": "x"}"#)
        return await withCheckedContinuation { continuation in
            let thread = Thread {
                let result = Result { () throws(CompositionError) in
                    try composer.compose(Fixtures.message(kind: "k", variables: variables))
                }
                continuation.resume(returning: result)
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
    }

    @Test(
        "that are nested deeply are an error of their own, and never a crash on a lane's stack",
        arguments: [33, 340, 2_000, 10_000],
        Nesting.allCases
    )
    func tooDeep(depth: Int, nesting: Nesting) async throws {
        let variables = nesting.text(depth: depth)
        let result = try await Self.compose(variables, text: "{{b}}\n")
        #expect(result == .failure(.variablesTooDeep))
        _ = try await Self.compose(variables).get()
    }

    @Test("of 30,000 levels are an error")
    func farTooDeep() async throws {
        let template = "{{b}}\n"
        let arrays = try await Self.compose(Nesting.arrays.text(depth: 30_000), text: template)
        #expect(arrays == .failure(.variablesTooDeep))
        // With its member's name each level of objects takes six octets, so the size limit rejects them.
        let objects = try await Self.compose(Nesting.objects.text(depth: 30_000), text: template)
        #expect(objects == .failure(.variablesTooLarge))
    }

    @Test("of 32 levels make a mail", arguments: [Nesting.objects, .arrays, .both])
    func deepEnough(nesting: Nesting) async throws {
        _ = try await Self.compose(nesting.text(depth: 32)).get()
    }

    @Test("count brackets of the structure only, not those in a text, escaped quotes or not")
    func bracketsInText() async throws {
        let brackets = String(repeating: "[{", count: 100)
        for text in [brackets, #"\""# + brackets, #"\\\""# + brackets, #"\u0022"# + brackets] {
            _ = try await Self.compose(#"{"a": ""# + text + #""}"#).get()
        }
        // The text ends before the brackets do.
        let arrays = String(repeating: "[", count: 100)
        let result = try await Self.compose(#"{"a": "\\", "b": "# + arrays, text: "{{b}}\n")
        #expect(result == .failure(.variablesTooDeep))
    }

    @Test("of 65,536 octets make a mail, one octet more is an error")
    func size() async throws {
        let most = #"{"b": ""# + String(repeating: "x", count: 65_536 - 9) + #""}"#
        #expect(most.utf8.count == 65_536)
        _ = try await Self.compose(most).get()
        #expect(try await Self.compose(most + " ", text: "{{b}}\n") == .failure(.variablesTooLarge))
    }

    @Test("that are an empty text count as no variables")
    func empty() async throws {
        _ = try await Self.compose("").get()
    }

    @Test(
        "that are no JSON object are passed over, and are an error only where a template needs a value",
        arguments: [
            "[]", "null", #"{"a":"#, #""x""#, "  ", "{a:1}", "{'a':1}", #"{"a":1,}"#, #"{"a":[1,]}"#, #"{"a":01}"#,
            #"{"a":+1}"#,
            #"{"a":.5}"#, #"{"a":5.}"#, #"{"a":1e}"#, #"{"a":0x1F}"#, #"{"a":NaN}"#, #"{"a":tru}"#, #"{"a":"x}"#,
            #"{"a":1}}"#,
            #"{"a":"\x41"}"#, "{\"a\":\"b\tc\"}", #"{"a" 1}"#, #"{"a":1 "b":2}"#, "{\"a\":1}\u{0}", "\u{FEFF}{}", "-",
            "{\"a\":-}",
        ]
    )
    func noObject(variables: String) async throws {
        _ = try await Self.compose(variables, text: "{{#a}}{{a}}{{/a}}\n").get()
        #expect(try await Self.compose(variables, text: "{{b}}\n") == .failure(.variablesNotAnObject))
    }

    @Test(
        "keep a number as it is written, whatever no type of ours can hold",
        arguments: [
            "0", "-0", "1.50", "1e400", "-1E+400", "1e-400", "0.1e5", "9007199254740993",
            String(repeating: "9", count: 200),
            "3.14159265358979323846264338327950288419716939937510",
        ]
    )
    func numbers(number: String) async throws {
        let mail = try await Self.compose(#"{"a": \#(number), "c": 1e400, "d": "\ud83d"}"#, text: "{{a}}\n").get()
        #expect(try PythonReader.read(mail).text == number + "\n")
    }

    @Test("have the last of two members of one name, and every escape of JSON")
    func members() async throws {
        let escapes = #"{"a": 1, "a": "\"\\\/\b\f\n\t\u00e9\u2028" , "e":{ } , "f":[ ] }"#
        let mail = try await Self.compose(" \n\t\r" + escapes + "\n", text: "{{a}}\n").get()
        #expect(try PythonReader.read(mail).text == "\"\\/ \u{E9}\n")
    }

    @Test(
        "with half a surrogate pair, or with octets that are no UTF-8, have U+FFFD in its place",
        arguments: [
            (#"x\ud83d"#, "x\u{FFFD}"), (#"\ude00x"#, "\u{FFFD}x"), (#"\ud83dx\ude00"#, "\u{FFFD}x\u{FFFD}"),
            (#"\ud83d\ud83d\ude00"#, "\u{FFFD}😀"), (#"\uD83D\uDE00"#, "😀"), (#"\ud83d\u0041"#, "\u{FFFD}A"),
            (#"\\ud83d"#, #"\ud83d"#), (String(decoding: [0x78, 0xFF, 0xC3], as: UTF8.self), "x\u{FFFD}\u{FFFD}"),
        ]
    )
    func surrogates(escaped: String, text: String) async throws {
        let mail = try await Self.compose(#"{"a": ""# + escaped + #""}"#, text: "{{a}}\n").get()
        #expect(try PythonReader.read(mail).text == text + "\n")
    }

    @Test("that are cut off within an escape are an error", arguments: [#"{"a": "\"#, #"{"a": "\u"#, #"{"a": "\ud83"#])
    func cutOff(variables: String) async throws {
        #expect(try await Self.compose(variables, text: "{{b}}\n") == .failure(.variablesNotAnObject))
    }
}
