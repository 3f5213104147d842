// A row's variables as values. Parsing is Foundation's; keeps no order of keys, because no template can ask for one.

import Foundation

/// A JSON value for the templates.
enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The number's digits: `1` stays `1`. A fraction keeps its value and loses trailing zeros.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    private static let decoder = JSONDecoder()

    /// The members of the JSON object in `text`.
    ///
    /// - Throws: `variablesTooLarge`, `variablesTooDeep`, or `variablesNotAnObject` for anything that is no JSON object,
    ///   JSON5 such as `{a: 1}` included.
    static func members(of text: String) throws(CompositionError) -> [String: JSONValue] {
        if text == "{}" { return [:] }
        let scan = try JSONScan(text)
        do {
            return try decoder.decode([String: JSONValue].self, from: Data(scan.bytes))
        } catch {
            throw .variablesNotAnObject
        }
    }
}

extension JSONValue: Decodable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let string = try? container.decode(String.self) {
            self = .string(string)
        } else if let bool = try? container.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? container.decode(Int64.self) {
            self = .number(String(integer))
        } else if let decimal = try? container.decode(Decimal.self) {
            self = .number(decimal.description)
        } else if let array = try? container.decode([JSONValue].self) {
            self = .array(array)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }
}
