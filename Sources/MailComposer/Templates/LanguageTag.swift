// Chooses the language of a mail. Knows how to compare and shorten tags; never which templates exist.

import Foundation
import InternetMessage

/// A BCP 47 language tag in a canonical form for comparison: lower case, with `-` between its subtags.
struct LanguageTag: Hashable, Sendable {
    /// The language of a mail if no better one is available; every kind has templates in it.
    static let fallback = LanguageTag(normalized: "en")

    let text: String

    /// The tag in the usual case (RFC 5646 §2.1.1), such as `pt-BR` or `zh-Hant`.
    var canonical: String {
        let subtags = text.split(separator: "-", omittingEmptySubsequences: false)
        var afterSingleton = false
        return subtags.enumerated().map { index, subtag in
            if subtag.count == 1 { afterSingleton = true }
            if index == 0 || afterSingleton { return String(subtag) }
            switch subtag.count {
            case 2: return subtag.uppercased()
            case 4 where subtag.first?.isLetter == true: return subtag.capitalized
            default: return String(subtag)
            }
        }.joined(separator: "-")
    }

    /// The first subtag: `ja` of `ja-jp`.
    var language: Substring { text.prefix { $0 != "-" } }

    /// Whether the language is written from right to left, like Arabic and Hebrew: in the script that the tag names,
    /// else in the usual script of the language (CLDR, which does not know every language in every script).
    var isRightToLeft: Bool {
        // Extensions follow a single letter or digit (RFC 5646 §2.2.6).
        let subtags: [Substring] = text.split(separator: "-").dropFirst().prefix { $0.count > 1 }.map { $0 }
        if let script = subtags.first(where: { $0.count == 4 && $0.allSatisfy { $0.isLetter } }) {
            return Self.rightToLeftScripts.contains(String(script))
        }
        return Locale.Language(identifier: text).characterDirection == .rightToLeft
    }

    /// The right-to-left scripts in use today (ISO 15924; Unicode's property Bidi_Class of their letters is R or AL).
    private static let rightToLeftScripts: Set = [
        "adlm", "arab", "aran", "hebr", "mand", "nkoo", "rohg", "samr", "syrc", "thaa", "yezi",
    ]

    private init(normalized text: String) {
        self.text = text
    }

    /// `nil` if `text` is not shaped like a language tag (RFC 5646 §2.1). `_` counts as `-`, as POSIX and ICU write it.
    init?(_ text: String) {
        let normalized = String(
            decoding: text.utf8.lazy.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 },
            as: UTF8.self
        )
        .lowercased()
        let subtags = normalized.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let isTag = subtags.allSatisfy { subtag in
            (1...8).contains(subtag.count)
                && subtag.allSatisfy { $0.isASCIILowercaseLetter || $0.isASCIIDigit }
        }
        guard isTag, let first = subtags.first, first.count >= 2 else { return nil }
        self.text = normalized
    }

    /// Tags whose readers read another one that no shortening finds.
    private static let usual = [
        "zh": "zh-hans", "zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh-my": "zh-hans",
        "zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant",
        "pt": "pt-br",
    ]

    /// The best of `available` for `requested`: the tag itself, else the one that its readers usually read, else both
    /// for the tag without its last subtags, else English.
    static func lookUp(_ requested: String?, in available: some Collection<LanguageTag>) -> LanguageTag {
        var tag = requested.flatMap(LanguageTag.init)
        while let candidate = tag {
            if available.contains(candidate) { return candidate }
            if let usual = usual[candidate.text].map(LanguageTag.init(normalized:)), available.contains(usual) {
                return usual
            }
            tag = candidate.shortened
        }
        return fallback
    }

    /// The tag without its last subtag; `nil` for a language alone.
    ///
    /// RFC 4647 §3.4 (lookup): `zh-Hant-TW` looks for `zh-hant-tw`, `zh-hant`, `zh`. A single letter or digit left at
    /// the end, such as the `x` of `ja-x-kansai`, is removed with the subtag that it introduced.
    var shortened: LanguageTag? {
        guard let dash = text.lastIndex(of: "-") else { return nil }
        let shorter = LanguageTag(normalized: String(text[..<dash]))
        guard let last = shorter.text.lastIndex(of: "-"), shorter.text.index(last, offsetBy: 2) == shorter.text.endIndex
        else { return shorter }
        return LanguageTag(normalized: String(shorter.text[..<last]))
    }
}
