// Lines and header fields of a mail (RFC 5322 §2.2). Never decodes a value, never recurses.

/// The lines of a mail or of a part of one, without their ends, which may be CRLF, LF or CR alone.
struct MailLines {
    typealias Line = ArraySlice<UInt8>

    private(set) var lines: ArraySlice<Line>

    /// - Parameter bytes: a mail, as a mail system hands it to a program: perhaps with blank lines or a "From " line before
    ///   it.
    init(_ bytes: [UInt8]) {
        // A mail with no LF at all comes from a system that ends its lines with CR.
        let hasLF = bytes.contains(UInt8(ascii: "\n"))
        let end = UInt8(ascii: hasLF ? "\n" : "\r")
        var lines = bytes.split(separator: end, omittingEmptySubsequences: false).map { line in
            line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        }
        // Nothing but a header can be behind blank lines at the beginning, because no mail is without one.
        lines.removeFirst(lines.prefix { $0.isBlank }.count)
        if lines.first?.starts(with: Array("From ".utf8)) == true { lines.removeFirst() }
        self.lines = lines[...]
    }

    init(_ lines: ArraySlice<Line>) { self.lines = lines }

    /// Takes the header off: what is left is the body.
    mutating func takeHeader() -> HeaderFields {
        let end = lines.firstIndex { $0.isEmpty } ?? lines.endIndex
        let header = HeaderFields(lines[..<end])
        lines = lines[end...].dropFirst()
        return header
    }

    /// The blocks between empty lines, each read as header fields; blocks without a field are left out.
    var blocks: [HeaderFields] {
        lines.split { $0.isBlank }.map { HeaderFields($0) }.filter { !$0.isEmpty }
    }

    /// The lines as they were, with LF.
    var bytes: [UInt8] { Array(lines.joined(separator: [UInt8(ascii: "\n")])) }
}

/// Header fields, folded lines put together (RFC 5322 §2.2.3).
struct HeaderFields {
    private struct Field {
        let name: String
        let value: String
        /// The value with nothing where lines were folded: some mail systems fold in the middle of a word. `nil` where
        /// nothing was folded.
        let joined: String?
    }

    private var fields: [Field] = []

    var isEmpty: Bool { fields.isEmpty }

    /// The names in lower case.
    var names: [String] { fields.map(\.name) }

    /// The values of all fields.
    var values: [String] { fields.map(\.value) }

    /// So many fields are kept; the rest is of no interest here.
    private static let limit = 500

    init(_ lines: ArraySlice<MailLines.Line>) {
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

    /// The fields of both.
    func joined(with others: HeaderFields) -> HeaderFields { HeaderFields(fields + others.fields) }

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

    /// The value of the first field of a name, in whatever case.
    subscript(_ name: String) -> String? { fields.first { $0.name == name.lowercased() }?.value }

    /// The values of all fields of a name.
    func all(_ name: String) -> [String] { fields.filter { $0.name == name.lowercased() }.map(\.value) }

    /// The values of all fields of a name, with nothing where lines were folded; empty where none was.
    func allJoined(_ name: String) -> [String] {
        let named = fields.filter { $0.name == name.lowercased() }
        return named.contains { $0.joined != nil } ? named.map { $0.joined ?? $0.value } : []
    }
}

extension MailLines.Line {
    /// Nothing but space.
    var isBlank: Bool { allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }
}

extension String {
    /// With one space wherever there was space or a control character, and none around it: what a stranger wrote must
    /// not move the cursor of whoever reads it.
    var collapsingSpace: String {
        unicodeScalars.split { scalar in
            scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
        }.map { String($0) }.joined(separator: " ")
    }
}
