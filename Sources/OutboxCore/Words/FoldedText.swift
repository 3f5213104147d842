// A reply's text as the plain words that the failure policy searches for. Never judges them (see FailurePolicy).

import InternetMessage

/// The words of a text without insignificant details: in lower case and ASCII, with white space and punctuation only as
/// separators.
///
/// - `can’t` and `can't` are `cant`; `over-quota`, `over_quota` and `OverQuota` are two words; `é` is `e`, and a
///   letter of another script is part of a word that nothing matches.
/// - An address becomes the word `@`, because its local part may say anything; an IPv4 address becomes `%ip`; a host
///   name or a URL becomes `%host`, or `%list` for a blocklist, or `spf` where it explains SPF.
/// - A status code such as 5.7.1 is left out. A number stays, and also matches `#`.
/// - A full stop, `!`, `?`, `;`, `|` and the word `said` end a sentence, and no pattern reaches beyond it.
struct FoldedText: CustomStringConvertible {
    /// Maximum number of words evaluated; a text of ``SMTPReply/textLimit`` characters rarely has 200.
    static let wordLimit = 255

    /// The words, one after the other, in `a`–`z`, `0`–`9`, `@`, `%`, and 0x80 for a letter of another script.
    private(set) var bytes: [UInt8] = []
    /// The range of each word; an empty range ends a sentence.
    private(set) var words: [Range<Int>] = []

    init(_ text: String) {
        let plain = Self.plain(text)
        bytes.reserveCapacity(plain.count)
        words.reserveCapacity(plain.count / 5 + 1)
        var index = 0
        while index < plain.count {
            if Self.hasScheme(plain, at: index) {
                let end = Self.endOfURL(in: plain, from: index)
                append(Self.kind(ofHost: plain[index..<end]))
                index = end
            } else if plain[index].separatesChunks {
                if ";|".utf8.contains(plain[index]) { endSentence() }
                index += 1
            } else {
                var end = plain[index...].firstIndex(where: \.separatesChunks) ?? plain.count
                if Self.isHost(plain[index..<end]), plain[index..<end].contains(UInt8(ascii: "/")) {
                    end = Self.endOfURL(in: plain, from: index)
                }
                take(plain[index..<end])
                index = end
            }
        }
    }

    var description: String {
        words.map { $0.isEmpty ? "." : String(decoding: bytes[$0], as: UTF8.self) }.joined(separator: " ")
    }

    /// Handles one run of octets without white space, brackets, quotation marks, commas and colons.
    private mutating func take(_ chunk: ArraySlice<UInt8>) {
        guard !chunk.isEmpty else { return }
        if chunk.contains(UInt8(ascii: "@")) {
            append("@")
        } else if let mark = chunk.firstIndex(of: UInt8(ascii: "=")), !Self.isHost(chunk) {
            take(chunk[..<mark])
            take(chunk[(mark + 1)...])
            return
        } else if chunk.allSatisfy({ $0.isASCIIDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "#") }) {
            takeNumber(chunk)
        } else if Self.isHost(chunk) {
            append(Self.kind(ofHost: chunk))
        } else {
            takeWords(chunk)
            return
        }
        if chunk.last == UInt8(ascii: ".") { endSentence() }
    }

    /// `24`, `21.99`, `5.7.1`, `192.0.2.1`, `#5.1.1`.
    private mutating func takeNumber(_ chunk: ArraySlice<UInt8>) {
        let parts = chunk.split { !$0.isASCIIDigit }
        switch parts.count {
        case 4: append("%ip")
        case 1, 2: append(parts[0])
        default: break
        }
    }

    /// Handles words joined by hyphens, underscores, slashes, or capitals.
    private mutating func takeWords(_ chunk: ArraySlice<UInt8>) {
        var start: Int?
        for index in chunk.indices {
            let byte = chunk[index]
            let isInWord = byte.isASCIILetter || byte.isASCIIDigit || byte == 0x80
            // `SendAsDenied` is three words, `rDNS` and `eMail` are one each.
            let isHump =
                start.map { $0 + 1 < index && byte.isASCIIUppercaseLetter && chunk[index - 1].isASCIILowercaseLetter }
                ?? false
            if let first = start, !isInWord || isHump {
                append(chunk[first..<index])
                start = nil
            }
            if isInWord {
                start = start ?? index
            } else if ".!?".utf8.contains(byte) {
                endSentence()
            }
        }
        if let start { append(chunk[start...]) }
    }

    private mutating func append(_ word: some Sequence<UInt8>) {
        guard words.count < Self.wordLimit else { return }
        let start = bytes.count
        for byte in word { bytes.append(byte.isASCIIUppercaseLetter ? byte | 0x20 : byte) }
        words.append(start..<bytes.count)
        // In `host mx.example.com said: 550 …` the reply quotes another server.
        if bytes[start...].elementsEqual("said".utf8) { endSentence() }
    }

    private mutating func append(_ word: StaticString) {
        word.withUTF8Buffer { append($0) }
    }

    private mutating func endSentence() {
        guard let last = words.last, !last.isEmpty, words.count < Self.wordLimit else { return }
        words.append(bytes.count..<bytes.count)
    }
}

extension FoldedText {
    /// Letters without their accents, for U+00C0 to U+017F.
    private static let unaccented: [UInt8] = Array(
        """
        aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty\
        aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjjkkklllllll\
        lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs
        """.utf8
    )

    /// The text octet by octet: ASCII unchanged, without apostrophes; 0x80 for every other letter.
    private static func plain(_ text: String) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x27, 0x60, 0xB4, 0x2BC, 0x2018, 0x2019, 0x201B: continue
            case 0..<0x80: plain.append(UInt8(scalar.value))
            case 0xAD, 0x300...0x36F, 0x200B...0x200D, 0x2060, 0xFEFF: continue
            case 0xC0...0x17F:
                let letter = unaccented[Int(scalar.value - 0xC0)]
                // A capital stays a capital; otherwise `LÍMITE` would contain a lower-case letter and be split into two
                // words.
                plain.append(scalar.properties.isUppercase && letter.isASCIILowercaseLetter ? letter & ~0x20 : letter)
            case 0xA0, 0x2000...0x200A, 0x2010...0x2015, 0x2028, 0x2029, 0x202F, 0x2212, 0x3000: plain.append(0x20)
            case 0xAB, 0xBB, 0x201A, 0x201C...0x201F: plain.append(UInt8(ascii: "\""))
            case 0x2026: plain.append(UInt8(ascii: "."))
            case 0xFF01...0xFF5E: plain.append(UInt8(scalar.value - 0xFF01 + 0x21))
            default: plain.append(0x80)
            }
        }
        return plain
    }

    private static func hasScheme(_ plain: [UInt8], at index: Int) -> Bool {
        guard plain[index] | 0x20 == UInt8(ascii: "h") else { return false }
        return plain[index...].hasText("http://") || plain[index...].hasText("https://")
    }

    private static func endOfURL(in plain: [UInt8], from index: Int) -> Int {
        plain[index...].firstIndex { $0 <= 0x20 || "<>\"()[]".utf8.contains($0) } ?? plain.count
    }

    /// A host name, with or without a path: `mx.example.com`, `support.example.com/mail`. A host name is in a single
    /// case and ends in a top-level domain, unlike `RESOLVER.ADR.NotFound` and `exceeded.Please`.
    private static func isHost(_ chunk: ArraySlice<UInt8>) -> Bool {
        guard let dot = chunk.firstIndex(of: UInt8(ascii: ".")) else { return false }
        let slash = chunk.firstIndex { "/?".utf8.contains($0) } ?? chunk.endIndex
        guard dot < slash else { return false }
        let labels = chunk[..<slash].split(separator: UInt8(ascii: "."))
        guard labels.count > 1, let last = labels.last, (2...8).contains(last.count), last.allSatisfy(\.isASCIILetter)
        else {
            return false
        }
        let name = chunk[..<slash]
        guard name.allSatisfy({ $0.isASCIILetter || $0.isASCIIDigit || "-._".utf8.contains($0) }),
            !name.contains(where: \.isASCIILowercaseLetter) || !name.contains(where: \.isASCIIUppercaseLetter)
        else { return false }
        return last.count == 2 || topLevelDomains.contains { last.hasText($0) && last.count == $0.utf8CodeUnitCount }
    }

    /// The common ones of more than two letters. A missing space after a full stop also joins two words with a dot.
    private static let topLevelDomains: [StaticString] = [
        "com", "net", "org", "edu", "gov", "mil", "int", "biz", "info", "app", "dev", "cloud", "online", "email",
        "test",
        "example", "invalid", "local",
    ]

    /// The word that replaces a host name or a URL.
    private static func kind(ofHost chunk: ArraySlice<UInt8>) -> StaticString {
        let marks: [StaticString] = [
            "spamhaus", "spamcop", "sorbs", "barracudacentral", "dnsbl", "rbl.", "blacklist", "blocklist", "uceprotect",
            "abusix", "mailspike", "invaluement", "surbl", "uribl", "abuseat", "delist",
        ]
        for index in chunk.indices {
            let rest = chunk[index...]
            if marks.contains(where: { rest.hasText($0) }) { return "%list" }
            if rest.hasText("openspf") || rest.hasText("spf.") { return "spf" }
        }
        return "%host"
    }
}

extension UInt8 {
    /// White space, brackets, quotation marks, and characters that end a part of a sentence.
    fileprivate var separatesChunks: Bool {
        switch self {
        case 0...0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "\""),
            UInt8(ascii: "|"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: ":"):
            true
        default: false
        }
    }
}

extension ArraySlice<UInt8> {
    /// Whether the octets begin with this lower-case text, in any case.
    fileprivate func hasText(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            text.indices.allSatisfy { offset in
                self[startIndex + offset].asciiLowercased == text[offset]
            }
        }
    }
}
