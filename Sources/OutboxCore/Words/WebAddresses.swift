// Cuts web addresses in others' words. Never asks whether a part is secret: anything behind the host may be.

import InternetMessage

extension String {
    /// The text with "/…" in place of the path, query and fragment of each web address; scheme and host stay.
    ///
    /// A mail's link contains its token, and a filter that objects to the link quotes it. Recognised are addresses with
    /// `http` or `https`, also as filters defuse them (`hxxps`, `[:]`) or encode them (`%3A%2F%2F`), and addresses
    /// without a scheme that begin with `www.` or have a query. Time is linear in the length.
    package var cuttingWebAddresses: String {
        // Few replies contain one.
        guard utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") }) else { return self }
        var cutter = WebAddressCutter(Array(utf8))
        return cutter.cut() ? String(decoding: cutter.kept, as: UTF8.self) : self
    }
}

private struct WebAddressCutter {
    private let bytes: [UInt8]
    private var index = 0
    private(set) var kept: [UInt8] = []

    private static let schemes: [StaticString] = ["https", "hxxps", "http", "hxxp"]
    private static let marks: [StaticString] = ["://", "[:]//", "%3a%2f%2f", ":\\/\\/"]
    private static let encodedPathStarts: [StaticString] = ["%2f", "%3f", "%23", "%5c"]

    /// Whether a part of a query follows each octet within the same word.
    private let hasQuery: [Bool]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var hasQuery = [Bool](repeating: false, count: bytes.count)
        var isSeen = false
        for place in bytes.indices.reversed() {
            isSeen = !bytes[place].endsAddress && (isSeen || "?=#".utf8.contains(bytes[place]))
            hasQuery[place] = isSeen
        }
        self.hasQuery = hasQuery
    }

    /// - Returns: whether anything was cut.
    mutating func cut() -> Bool {
        var hasCut = false
        while index < bytes.count {
            if let host = endOfScheme(at: index) {
                keep(upTo: host)
                keepHost()
                hasCut = cutPath() || hasCut
            } else if isAtWordStart, let path = endOfBareHost(at: index) {
                keep(upTo: path)
                hasCut = cutPath() || hasCut
            } else {
                keep(upTo: index + 1)
            }
        }
        return hasCut
    }

    private mutating func keep(upTo end: Int) {
        kept += bytes[index..<end]
        index = end
    }

    /// A name or a password before the host is not part of it (RFC 3986 §3.2.1).
    private mutating func keepHost() {
        var end = index
        while end < bytes.count, !bytes[end].endsAddress, !isPathStart(at: end) { end += 1 }
        if let mark = bytes[index..<end].lastIndex(of: UInt8(ascii: "@")) { index = mark + 1 }
        keep(upTo: end)
    }

    /// - Returns: whether the path was longer than a slash.
    private mutating func cutPath() -> Bool {
        var end = index
        while end < bytes.count, !bytes[end].endsAddress { end += 1 }
        let path = bytes[index..<end]
        guard path.contains(where: { !"/.,;:!?)]'".utf8.contains($0) }) else {
            keep(upTo: end)
            return false
        }
        kept += "/…".utf8
        index = end
        return true
    }

    private func isPathStart(at place: Int) -> Bool {
        if "/?#\\".utf8.contains(bytes[place]) { return true }
        return Self.encodedPathStarts.contains { hasText($0, at: place) }
    }

    /// Where the host begins, if an address with a scheme begins here.
    private func endOfScheme(at place: Int) -> Int? {
        guard bytes[place] | 0x20 == UInt8(ascii: "h") else { return nil }
        guard let scheme = Self.schemes.first(where: { hasText($0, at: place) }) else { return nil }
        let colon = place + scheme.utf8CodeUnitCount
        let mark = Self.marks.first { hasText($0, at: colon) }
        return mark.map { colon + $0.utf8CodeUnitCount }
    }

    private var isAtWordStart: Bool {
        index == 0 || bytes[index - 1].endsAddress || "(['=:,;".utf8.contains(bytes[index - 1])
    }

    /// Where the path begins, if an address without a scheme begins here that may be more than a file name.
    private func endOfBareHost(at place: Int) -> Int? {
        var end = place
        var lastDot: Int?
        while end < bytes.count, bytes[end].isHostOctet {
            if bytes[end] == UInt8(ascii: ".") { lastDot = end }
            end += 1
        }
        guard let lastDot, lastDot > place, end - lastDot > 2,
            bytes[lastDot + 1..<end].allSatisfy(\.isASCIILetter)
        else { return nil }
        if end < bytes.count, bytes[end] == UInt8(ascii: ":") {
            repeat { end += 1 } while end < bytes.count && bytes[end].isASCIIDigit
        }
        guard end < bytes.count, "/?".utf8.contains(bytes[end]) else { return nil }
        return hasQuery[end] || hasText("www.", at: place) ? end : nil
    }

    /// Whether this lower-case text stands at a place, in any case.
    private func hasText(_ text: StaticString, at place: Int) -> Bool {
        guard place + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { text in
            text.indices.allSatisfy { offset in
                let byte = bytes[place + offset]
                return ((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte) == text[offset]
            }
        }
    }
}

extension UInt8 {
    /// White space, a control character, or a character that surrounds addresses in texts and is not part of one.
    fileprivate var endsAddress: Bool { self <= 0x20 || self == 0x7F || "<>\"`".utf8.contains(self) }

    fileprivate var isHostOctet: Bool {
        isASCIILetterOrDigit || self == UInt8(ascii: ".") || self == UInt8(ascii: "-")
    }
}
