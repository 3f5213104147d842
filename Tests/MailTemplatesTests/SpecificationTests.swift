// The cases of the Mustache specification, except for forbidden features: delimiters, lambdas and dynamic names.

import Foundation
import Testing

@testable import MailTemplates

@Suite("The Mustache specification") struct SpecificationTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let file: String
        let name: String
        let template: String
        let partials: [String: String]
        let data: JSONValue
        let expected: String

        var testDescription: String { "\(file): \(name)" }

        /// Unescaped tags are allowed only in text, where nothing is escaped.
        var format: Template.Format {
            ([template] + partials.values).contains { $0.contains("{{{") || $0.contains("{{&") } ? .text : .html
        }

        func compiled() throws(InvalidTemplate) -> Template {
            try Template(source: template, file: "template", format: format) { name in
                partials[name].map { .found(file: name, source: $0, isWords: false) } ?? .missing(places: [name])
            }
        }
    }

    /// A deviation from the specification.
    enum Exception: Sendable {
        /// A missing value is not an empty text.
        case missingValue
        /// The template is rejected for this reason.
        case refused(String)
        /// The indentation of a block's lines stays as written.
        case indentation
    }

    static let exceptions: [String: Exception] = [
        "interpolation: Basic Null Interpolation": .missingValue,
        "interpolation: Triple Mustache Null Interpolation": .missingValue,
        "interpolation: Ampersand Null Interpolation": .missingValue,
        "interpolation: Basic Context Miss Interpolation": .missingValue,
        "interpolation: Triple Mustache Context Miss Interpolation": .missingValue,
        "interpolation: Ampersand Context Miss Interpolation": .missingValue,
        "interpolation: Dotted Names - Broken Chains": .missingValue,
        "interpolation: Dotted Names - Broken Chain Resolution": .missingValue,
        "interpolation: Dotted Names - Context Precedence": .missingValue,
        "sections: List Contexts": .refused("only punctuation stands between"),
        "partials: Failed Lookup": .refused("there is no 'text' to include"),
        "partials: Recursion": .refused("a file includes itself"),
        "~inheritance: Recursion": .refused("a file includes itself"),
        "~inheritance: Text inside parent": .refused("is never shown"),
        "~inheritance: Standalone block": .indentation,
        "~inheritance: Block reindentation": .indentation,
        "~inheritance: Intrinsic indentation": .indentation,
        "~inheritance: Nested block reindentation": .indentation,
    ]

    static let cases: [Case] = ["comments", "interpolation", "sections", "inverted", "partials", "~inheritance"]
        .flatMap(cases)

    private static func cases(in file: String) -> [Case] {
        guard let url = Bundle.module.url(forResource: "Resources/spec/\(file)", withExtension: "json"),
            let text = try? String(contentsOf: url, encoding: .utf8), let members = try? JSONReader.members(of: text),
            let tests = members["tests"]?.elements
        else { preconditionFailure("the file \(file) is not there, or is no list of cases") }
        return tests.map { test in
            var partials: [String: String] = [:]
            if case .object(let sources)? = test["partials"] {
                partials = sources.compactMapValues { $0.text(in: .text) }
            }
            return Case(
                file: file,
                name: test["name"]?.text(in: .text) ?? "",
                template: test["template"]?.text(in: .text) ?? "",
                partials: partials,
                data: test["data"] ?? .null,
                expected: test["expected"]?.text(in: .text) ?? ""
            )
        }
    }

    @Test("is obeyed, case by case, except if a mail would have a gap", arguments: cases)
    func specification(test: Case) throws {
        switch Self.exceptions[test.testDescription] {
        case nil:
            let template = try test.compiled()
            let (pieces, faults) = template.render(test.data)
            #expect(faults == [])
            #expect(String(decoding: template.bytes(of: pieces), as: UTF8.self) == test.expected)
        case .missingValue:
            let (_, faults) = try test.compiled().render(test.data)
            #expect(faults.map(\.reason) == [.missing])
        case .refused(let reason):
            let error = #expect(throws: InvalidTemplate.self) { _ = try test.compiled() }
            #expect(error?.problems.allSatisfy { $0.reason.contains(reason) } == true)
        case .indentation:
            let template = try test.compiled()
            let (pieces, faults) = template.render(test.data)
            #expect(faults == [])
            let text = String(decoding: template.bytes(of: pieces), as: UTF8.self)
            #expect(text != test.expected)
            #expect(Self.words(text) == Self.words(test.expected))
        }
    }

    private static func words(_ text: String) -> [Substring] { text.split(whereSeparator: \.isWhitespace) }

    @Test("has each case in the list of exceptions")
    func exceptionsExist() {
        #expect(Set(Self.exceptions.keys).subtracting(Self.cases.map(\.testDescription)) == [])
    }
}
