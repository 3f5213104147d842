// Parsed header fields (RFC 5322 §2.2). Never decodes a value, never recurses.

/// Header fields, with folded lines joined (RFC 5322 §2.2.3).
package struct HeaderFields {
    private struct Field {
        let name: String
        let value: String
        /// The value without a space where lines were folded, because some mail systems fold in the middle of a word.
        /// `nil` where nothing was folded.
        let joined: String?
    }

    private var fields: [Field] = []

    /// Whether there are no fields.
    package var isEmpty: Bool { fields.isEmpty }

    /// The names in lower case.
    package var names: [String] { fields.map(\.name) }

    /// The values of all fields.
    package var values: [String] { fields.map(\.value) }

    /// Maximum number of fields kept; further ones are ignored.
    private static let limit = 500

    /// Reads fields from the lines of a header; a line that is not a field is skipped.
    package init(_ lines: ArraySlice<MailLines.Line>) {
        var current: [UInt8] = []
        var folds: [Int] = []
        for line in lines {
            if line.first == UInt8(ascii: " ") || line.first == UInt8(ascii: "\t") {
                folds.append(current.count)
                current += line
            } else {
                append(current, folds)
                current = Array(line)
                folds = []
            }
            if fields.count >= Self.limit { return }
        }
        append(current, folds)
    }

    private init(_ fields: [Field]) { self.fields = fields }

    /// The fields of both headers.
    package func joined(with others: HeaderFields) -> HeaderFields { HeaderFields(fields + others.fields) }

    private mutating func append(_ line: [UInt8], _ folds: [Int]) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { return }
        let name = line[..<colon].reversed().drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.reversed()
        // RFC 5322 §2.2: printable US-ASCII without the colon.
        guard !name.isEmpty, name.allSatisfy({ (33...126).contains($0) }) else { return }
        fields.append(
            Field(
                name: String(decoding: name, as: UTF8.self).lowercased(),
                value: String(decoding: line[(colon + 1)...], as: UTF8.self).collapsingSpace,
                joined: folds.isEmpty ? nil : Self.joined(line, after: colon, folds)
            )
        )
    }

    private static func joined(_ line: [UInt8], after colon: Int, _ folds: [Int]) -> String {
        var bytes: [UInt8] = []
        for (start, end) in zip([colon + 1] + folds, folds + [line.count]) where start < end {
            bytes += line[start..<end].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        }
        return String(decoding: bytes, as: UTF8.self).collapsingSpace
    }

    /// The value of the first field with a name, in any case.
    package subscript(_ name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }

    /// The values of all fields with a name.
    package func all(_ name: String) -> [String] { fields.filter { $0.name == name.lowercased() }.map(\.value) }

    /// The values of all fields with a name, without a space where lines were folded; empty where none was.
    package func allJoined(_ name: String) -> [String] {
        let named = fields.filter { $0.name == name.lowercased() }
        return named.contains { $0.joined != nil } ? named.map { $0.joined ?? $0.value } : []
    }
}
