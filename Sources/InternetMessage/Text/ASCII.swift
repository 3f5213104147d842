// The classes of ASCII characters that mail grammars use. Never handles non-ASCII characters.

extension UInt8 {
    /// `ALPHA` of RFC 5234 appendix B.1: a letter of either case.
    package var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }

    /// A lower-case letter.
    package var isASCIILowercaseLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }

    /// An upper-case letter.
    package var isASCIIUppercaseLetter: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }

    /// `DIGIT` of RFC 5234 appendix B.1.
    package var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    /// `Let-dig` of RFC 5321 §4.1.2.
    package var isASCIILetterOrDigit: Bool { isASCIILetter || isASCIIDigit }

    /// A space, or one of the characters from tab to carriage return.
    package var isASCIISpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }

    /// A letter in lower case; other octets unchanged, as in SQLite's lower().
    package var asciiLowercased: UInt8 { isASCIIUppercaseLetter ? self | 0x20 : self }
}

extension Character {
    /// One of 0 to 9.
    package var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
