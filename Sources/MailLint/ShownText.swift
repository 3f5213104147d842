// A template's own text in findings, and whether a reader sees any of it. Never decides what a finding is.

import InternetMessage

extension String {
    /// What is shown of a template's own text, in Unicode scalars.
    private static let mostShown = 60

    /// In one line of bounded length, without control characters.
    var shown: String {
        let line = limited(to: Self.mostShown).printable
        return unicodeScalars.count > Self.mostShown ? "\(line)…" : line
    }

    /// A link without a name and a password before the host (RFC 3986 §3.2.1), and without what follows its path.
    var withoutQuery: String {
        var link = prefix { $0 != "?" && $0 != "#" }
        guard let host = link.firstRange(of: "//")?.upperBound else { return String(link) }
        let authority = link[host...].prefix { $0 != "/" && $0 != "\\" }
        if let mark = authority.lastIndex(of: "@") { link.removeSubrange(host...mark) }
        return String(link)
    }
}

extension Substring {
    /// The place of the first character of an HTML text that leaves a mark: no space and nothing invisible, also where it
    /// is written as a character reference. Such characters end the preview that mail programs show in the inbox.
    var firstSeen: Index? {
        var index = startIndex
        while index < endIndex {
            let reference = unicodeScalars[index] == "&" ? reference(at: index) : nil
            guard (reference?.scalar ?? unicodeScalars[index]).isUnseen else { return index }
            index = reference?.end ?? unicodeScalars.index(after: index)
        }
        return nil
    }

    /// Names are short.
    private static let longestReference = 12

    /// The reference at a place, with the place after it; `nil` for another one than those that are unseen.
    private func reference(at index: Index) -> (scalar: Unicode.Scalar, end: Index)? {
        let scalars = unicodeScalars[unicodeScalars.index(after: index)...]
        let name = scalars.prefix(Self.longestReference).prefix { $0 != ";" }
        guard name.endIndex < scalars.endIndex, scalars[name.endIndex] == ";" else { return nil }
        let end = scalars.index(after: name.endIndex)
        if let known = Self.unseenNames[String(name)] { return (known, end) }
        guard name.first == "#" else { return nil }
        let digits = String(name).dropFirst()
        let isHex = digits.first == "x" || digits.first == "X"
        let value = isHex ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        return value.flatMap(Unicode.Scalar.init).map { ($0, end) }
    }

    private static let unseenNames: [String: Unicode.Scalar] = [
        "nbsp": "\u{A0}", "ensp": "\u{2002}", "emsp": "\u{2003}", "thinsp": "\u{2009}", "shy": "\u{AD}",
        "zwnj": "\u{200C}", "zwj": "\u{200D}", "lrm": "\u{200E}", "rlm": "\u{200F}",
    ]
}

extension Unicode.Scalar {
    /// White space, a control or format character, or the combining grapheme joiner.
    fileprivate var isUnseen: Bool {
        guard !isASCII else { return value <= 0x20 || value == 0x7F }
        return properties.isWhitespace || [.format, .control].contains(properties.generalCategory) || value == 0x34F
    }
}
