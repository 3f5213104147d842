// The field Content-Type (RFC 2045 §5.1), including split or encoded parameters (RFC 2231). Never reads a body.

/// A media type and its parameters.
package struct ContentType {
    /// `type/subtype` in lower case.
    package let mediaType: String
    private let parameters: [String: String]

    /// Maximum number of characters of a field that are parsed.
    private static let limit = 2000

    /// - Parameter field: the field's value; a part without this field is plain text (RFC 2045 §5.2).
    package init(_ field: String?) {
        var scanner = Scanner(field.map { Array($0.unicodeScalars.prefix(Self.limit)) } ?? [])
        let type = scanner.token()
        let subtype = scanner.skip("/") ? scanner.token() : ""
        mediaType = type.isEmpty || subtype.isEmpty ? "text/plain" : "\(type)/\(subtype)".lowercased()
        var parameters: [String: String] = [:]
        while scanner.skip(";") {
            let name = scanner.token().lowercased()
            guard scanner.skip("=") else { continue }
            let value = scanner.value()
            if parameters[name] == nil { parameters[name] = value }
        }
        self.parameters = parameters
    }

    /// The value of a parameter; `name` is in lower case.
    package subscript(_ name: String) -> String? {
        if let value = parameters[name] { return value }
        if let value = parameters["\(name)*"] { return Self.decoded([(value, true)]) }
        // RFC 2231 §3: numbered pieces; a * behind the number marks an encoded piece.
        var pieces: [(String, Bool)] = []
        for number in 0..<Self.pieceLimit {
            if let value = parameters["\(name)*\(number)"] {
                pieces.append((value, false))
            } else if let value = parameters["\(name)*\(number)*"] {
                pieces.append((value, true))
            } else {
                break
            }
        }
        return pieces.isEmpty ? nil : Self.decoded(pieces)
    }

    private static let pieceLimit = 100

    /// RFC 2231 §4: the first encoded piece begins with `charset'language'`.
    private static func decoded(_ pieces: [(value: String, isEncoded: Bool)]) -> String {
        var charset: String?
        var bytes: [UInt8] = []
        for (index, piece) in pieces.enumerated() {
            var octets = Array(piece.value.utf8)
            guard piece.isEncoded else {
                bytes += octets
                continue
            }
            let fields = piece.value.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
            if index == 0, fields.count == 3 {
                charset = String(fields[0])
                octets = Array(fields[2].utf8)
            }
            // The same as quoted-printable, but with % instead of =.
            bytes += TransferDecoding.quotedPrintable(octets.map { $0 == UInt8(ascii: "%") ? UInt8(ascii: "=") : $0 })
        }
        return Charset.text(bytes, in: charset)
    }

    private struct Scanner {
        private let scalars: [Unicode.Scalar]
        private var position = 0

        init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

        private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

        mutating func skip(_ expected: Unicode.Scalar) -> Bool {
            skipSpaceAndComments()
            guard next == expected else { return false }
            position += 1
            return true
        }

        /// RFC 2045 §5.1: any characters except space, control characters and tspecials.
        mutating func token() -> String {
            skipSpaceAndComments()
            var token = String.UnicodeScalarView()
            while let scalar = next, scalar.value > 32, scalar.value != 127,
                !"()<>@,;:\\\"/[]?=".unicodeScalars.contains(scalar)
            {
                token.append(scalar)
                position += 1
            }
            // Skips a character that can't be part of a token; otherwise the loop would not end.
            if token.isEmpty, let scalar = next, scalar != ";", scalar != "=", scalar != "/", scalar != "\"" {
                position += 1
            }
            return String(token)
        }

        mutating func value() -> String {
            skipSpaceAndComments()
            guard next == "\"" else { return token() }
            position += 1
            var value = String.UnicodeScalarView()
            while let scalar = next {
                position += 1
                if scalar == "\"" { break }
                if scalar == "\\", let escaped = next {
                    value.append(escaped)
                    position += 1
                } else {
                    value.append(scalar)
                }
            }
            return String(value)
        }

        /// Comments nest (RFC 5322 §3.2.2); counting them needs no recursion.
        private mutating func skipSpaceAndComments() {
            var depth = 0
            while let scalar = next {
                if scalar == "(" {
                    depth += 1
                } else if scalar == ")", depth > 0 {
                    depth -= 1
                } else if depth > 0, scalar == "\\" {
                    position += 1
                } else if depth == 0, !scalar.properties.isWhitespace {
                    return
                }
                position += 1
            }
        }
    }
}
