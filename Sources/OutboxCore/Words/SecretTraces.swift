// Tells texts that a mask would leave alone from those that it may change. Never finds a secret, never masks one.

import InternetMessage

/// Whether a text may have a trace of secrets, without an index of them.
///
/// A mask marks pieces of secrets: up to 12 octets, or letters of base64, in a row. The octets of such a piece are all in
/// the text, though perhaps in another case or with white space between. So where no piece of any secret consists of octets
/// of the text, the mask has nothing to mark. A token is long and random, so nearly no text has all octets of one of its
/// pieces.
enum SecretTraces {
    /// Whether a mask of the secrets may change the text in other ways than by cutting web addresses. May say so of a text
    /// that stays the same.
    static func mayBe(in text: String, of secrets: [String]) -> Bool {
        let octets = OctetsOfText(text)
        // The end of a long text may be the beginning of a secret, and a percent sign may stand for any octet.
        if octets.count >= GramIndex.cutTextLength || octets.hasPercentSign { return true }
        return secrets.contains { octets.mayHold($0) }
    }
}

/// The octets that are in a text, and the letters of base64 among them.
private struct OctetsOfText {
    private(set) var count = 0
    private(set) var hasPercentSign = false
    /// A bit for each octet of ASCII, letters in lower case.
    private var ascii: UInt128 = 0
    private var hasOthers = false
    /// A bit for the value of each letter of base64.
    private var letters: UInt64 = 0

    init(_ text: String) {
        let octets = text.utf8.span
        count = octets.count
        for index in octets.indices {
            let octet = octets[index]
            if octet < 0x80 { ascii |= 1 << UInt128(octet.lowercasedASCII) } else { hasOthers = true }
            if let value = octet.valueInBase64 { letters |= 1 << UInt64(value) }
            if octet == UInt8(ascii: "%") { hasPercentSign = true }
        }
    }

    func mayHold(_ secret: String) -> Bool {
        let octets = secret.utf8.span
        if octets.isEmpty { return false }
        // A shorter secret withholds the text. One with white space is also searched for without it.
        if octets.count < SecretMask.shortestSecret { return true }
        for index in octets.indices where octets[index] <= 0x20 { return true }
        return mayHoldOctets(octets) || mayHoldBase64(octets, from: 0) || mayHoldBase64(octets, from: 2)
            || mayHoldBase64(octets, from: 4)
    }

    /// Whether the octets of any piece of the secret are in the text, in any order.
    private func mayHoldOctets(_ secret: Span<UInt8>) -> Bool {
        mayHoldPiece(of: secret.count) { place in
            let octet = secret[place]
            return octet < 0x80 ? ascii >> UInt128(octet.lowercasedASCII) & 1 == 1 : hasOthers
        }
    }

    /// Whether the letters of any piece of the secret's base64 form are in the text, in any order.
    ///
    /// - Parameter start: the bit of the secret at which its first whole letter begins: 0, or 4 or 2 where one or two octets
    ///   precede the secret.
    private func mayHoldBase64(_ secret: Span<UInt8>, from start: Int) -> Bool {
        mayHoldPiece(of: (secret.count * 8 - start) / 6) { place in
            let bit = start + place * 6
            let index = bit / 8
            let next = index + 1 < secret.count ? secret[index + 1] : 0
            let pair = UInt16(secret[index]) << 8 | UInt16(next)
            return letters >> UInt64(pair >> UInt16(10 - bit % 8) & 0x3F) & 1 == 1
        }
    }

    /// Whether the text may hold a piece of a pattern: as many of its places in a row as an index looks for.
    ///
    /// Looks at the last place of a possible piece first: no piece contains a place that isn't in the text, so most places
    /// are never looked at.
    private func mayHoldPiece(of places: Int, isInText: (Int) -> Bool) -> Bool {
        let length = min(places, GramIndex.longestGram)
        guard length <= count else { return false }
        var end = length
        while end <= places {
            var start = end
            while start > end - length, isInText(start - 1) { start -= 1 }
            if start == end - length { return true }
            end = start + length
        }
        return false
    }
}

extension UInt8 {
    /// The value of a letter of base64 or base64url (RFC 4648 §4 and §5), 0 to 63; `nil` for another octet.
    fileprivate var valueInBase64: UInt8? {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): self - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): self - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
