// Decodes octets by the name of their character set (RFC 2978). Never guesses from the text.

import Foundation

/// The character sets of incoming mail.
package enum Charset {
    /// The decoded text. If the octets don't fit their character set, they are read as UTF-8, with U+FFFD for invalid
    /// sequences.
    ///
    /// - Parameter name: as in `charset=`, in any case; `nil` and unknown names are UTF-8, which includes US-ASCII.
    package static func text(_ bytes: [UInt8], in name: String?) -> String {
        guard let encoding = name.flatMap({ encodings[$0.lowercased()] }), encoding != .utf8,
            let text = String(data: Data(bytes), encoding: encoding)
        else { return String(decoding: bytes, as: UTF8.self) }
        return text
    }

    /// The names in the IANA registry that reports use. The entries from GB 18030 on use numbers of Core Foundation
    /// (CFStringEncodingExt.h), for which Foundation has no names.
    private static let encodings: [String: String.Encoding] = {
        func number(_ value: UInt) -> String.Encoding { String.Encoding(rawValue: 0x8000_0000 | value) }
        let named: [(String.Encoding, [String])] = [
            (.utf8, ["utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit"]),
            (.utf16, ["utf-16"]),
            (.isoLatin1, ["iso-8859-1", "iso8859-1", "latin1", "8859-1"]),
            (.isoLatin2, ["iso-8859-2", "iso8859-2", "latin2"]),
            (.windowsCP1250, ["windows-1250", "cp1250"]),
            (.windowsCP1251, ["windows-1251", "cp1251"]),
            (.windowsCP1252, ["windows-1252", "cp1252"]),
            (.windowsCP1253, ["windows-1253", "cp1253"]),
            (.windowsCP1254, ["windows-1254", "cp1254", "iso-8859-9"]),
            (.iso2022JP, ["iso-2022-jp"]),
            (.japaneseEUC, ["euc-jp", "x-euc-jp"]),
            (.shiftJIS, ["shift_jis", "shift-jis", "x-sjis", "sjis", "windows-31j", "cp932"]),
            (number(0x0632), ["gb18030", "gb2312", "gbk", "gb_2312-80", "x-gbk", "cp936"]),
            (number(0x0940), ["euc-kr", "ks_c_5601-1987", "ks_c_5601", "cp949"]),
            (number(0x0A03), ["big5", "big-5", "cp950"]),
            (number(0x0A02), ["koi8-r"]),
            (number(0x0A08), ["koi8-u"]),
            (number(0x0205), ["iso-8859-5"]),
            (number(0x0207), ["iso-8859-7"]),
            (number(0x020F), ["iso-8859-15", "latin9"]),
            (number(0x0505), ["windows-1255", "cp1255"]),
            (number(0x0506), ["windows-1256", "cp1256"]),
        ]
        return Dictionary(uniqueKeysWithValues: named.flatMap { pair in pair.1.map { ($0, pair.0) } })
    }()
}
