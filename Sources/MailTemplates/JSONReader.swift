// Reads the text of a row's variables. Never keeps the order of names.

import InternetMessage

/// A reader of JSON (RFC 8259) that accepts every text that SQLite accepts as strict JSON.
///
/// Foundation's decoder rejects a whole text because of one number that fits none of its types (`1e400`), or because of
/// a lone half of a surrogate pair (`"\ud83d"`, valid by the grammar, RFC 8259 §8.2), which JavaScript writes when it
/// cuts a text within an emoji. This reader keeps a number's digits and turns such a half into U+FFFD. If a name occurs
/// twice, the last member counts.
package struct JSONReader {
    /// `{}` is one level deep, `{"a": [1]}` two. Limits the recursion, whatever a row contains.
    package static let depthLimit = 32
    /// In octets of UTF-8.
    package static let sizeLimit = 65_536

    /// Why a text can't be read.
    package enum Fault: Error, Hashable {
        case notAnObject
        case tooDeep
        case tooLarge
    }

    private let bytes: [UInt8]
    private let names: Set<String>?
    private var index = 0
    private var depth = 0

    /// The members of the JSON object in `text`.
    ///
    /// - Parameter names: the members to keep, each of them if it is there; `nil` keeps all. The text is checked in any
    ///   case.
    package static func members(
        of text: String,
        named names: Set<String>? = nil
    ) throws(Fault) -> [String: JSONValue] {
        guard text.utf8.count <= sizeLimit else { throw .tooLarge }
        var reader = JSONReader(bytes: Array(text.utf8), names: names)
        guard case .object(let members) = try reader.value(), reader.next() == nil else { throw .notAnObject }
        return members
    }

    private init(bytes: [UInt8], names: Set<String>?) {
        self.bytes = bytes
        self.names = names
    }

    /// The next octet that is not white space; it isn't consumed.
    private mutating func next() -> UInt8? {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return bytes[index]
            }
        }
        return nil
    }

    /// Consumes the given octet after white space, if it is the next one.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard next() == byte else { return false }
        index += 1
        return true
    }

    private mutating func value() throws(Fault) -> JSONValue {
        switch next() {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func literal(_ word: String, _ value: JSONValue) throws(Fault) -> JSONValue {
        guard bytes[index...].starts(with: word.utf8) else { throw .notAnObject }
        index += word.utf8.count
        return value
    }

    private mutating func object() throws(Fault) -> [String: JSONValue] {
        try goDeeper()
        var members: [String: JSONValue] = [:]
        if !take(UInt8(ascii: "}")) {
            repeat {
                guard next() == UInt8(ascii: "\"") else { throw .notAnObject }
                let name = try string()
                guard take(UInt8(ascii: ":")) else { throw .notAnObject }
                let value = try value()
                if depth > 1 || names?.contains(name) ?? true { members[name] = value }
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw .notAnObject }
        }
        depth -= 1
        return members
    }

    private mutating func array() throws(Fault) -> [JSONValue] {
        try goDeeper()
        var elements: [JSONValue] = []
        if !take(UInt8(ascii: "]")) {
            repeat { elements.append(try value()) } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw .notAnObject }
        }
        depth -= 1
        return elements
    }

    private mutating func goDeeper() throws(Fault) {
        index += 1
        depth += 1
        guard depth <= Self.depthLimit else { throw .tooDeep }
    }

    /// RFC 8259 §6: the digits as they are written.
    private mutating func number() throws(Fault) -> String {
        let start = index
        _ = takeOne(of: "-")
        let hasLeadingZero = index < bytes.count && bytes[index] == UInt8(ascii: "0")
        let count = takeDigits()
        guard count == 1 || count > 1 && !hasLeadingZero else { throw .notAnObject }
        if takeOne(of: "."), takeDigits() == 0 { throw .notAnObject }
        if takeOne(of: "eE") {
            _ = takeOne(of: "+-")
            guard takeDigits() > 0 else { throw .notAnObject }
        }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// - Returns: the number of digits.
    private mutating func takeDigits() -> Int {
        let start = index
        while index < bytes.count, bytes[index].isASCIIDigit { index += 1 }
        return index - start
    }

    private mutating func takeOne(of octets: String) -> Bool {
        guard index < bytes.count, octets.utf8.contains(bytes[index]) else { return false }
        index += 1
        return true
    }

    /// RFC 8259 §7.
    private mutating func string() throws(Fault) -> String {
        index += 1
        let start = index
        while index < bytes.count, Self.isPlain(bytes[index]) { index += 1 }
        if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
            defer { index += 1 }
            return String(decoding: bytes[start..<index], as: UTF8.self)
        }
        var text = Array(bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text += UTF8.encode(try escaped()).map { Array($0) } ?? []
            case ..<0x20:
                throw .notAnObject
            default:
                text.append(byte)
                index += 1
            }
        }
        throw .notAnObject
    }

    /// Whether the octet stands for itself in a string. Nearly all strings have no other octet.
    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// The character of the escape sequence at this place; U+FFFD for a lone half of a surrogate pair.
    private mutating func escaped() throws(Fault) -> Unicode.Scalar {
        guard index + 1 < bytes.count else { throw .notAnObject }
        if bytes[index + 1] == UInt8(ascii: "u") {
            guard let unit = codeUnit(at: index) else { throw .notAnObject }
            index += 6
            if UTF16.isLeadSurrogate(unit), let low = codeUnit(at: index), UTF16.isTrailSurrogate(low) {
                index += 6
                return UTF16.decode(UTF16.EncodedScalar([unit, low]))
            }
            return Unicode.Scalar(unit) ?? "\u{FFFD}"
        }
        let scalar: Unicode.Scalar? =
            switch bytes[index + 1] {
            case UInt8(ascii: "\""): "\""
            case UInt8(ascii: "\\"): "\\"
            case UInt8(ascii: "/"): "/"
            case UInt8(ascii: "b"): "\u{8}"
            case UInt8(ascii: "f"): "\u{C}"
            case UInt8(ascii: "n"): "\n"
            case UInt8(ascii: "r"): "\r"
            case UInt8(ascii: "t"): "\t"
            default: nil
            }
        guard let scalar else { throw .notAnObject }
        index += 2
        return scalar
    }

    /// The UTF-16 code unit of `\uXXXX` at a place; `nil` if there is no such escape.
    private func codeUnit(at index: Int) -> UInt16? {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var unit: UInt16 = 0
        for byte in bytes[index + 2..<index + 6] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
