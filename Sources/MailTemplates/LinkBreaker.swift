// Breaks what a mail program would make a link of. Never removes a character.

/// Puts a space into host names, addresses and URLs, so that no mail program links them: "evil. example".
///
/// A list of top-level domains would be out of date, so the rule asks for the shape: a dot before a label of two letters
/// or more. "Booking.com" can't be told from "evil.com"; names such as "Dr. A. Smith", "J.R.R. Tolkien" or "1.000" stay.
/// Zero-width characters in place of the space would look better, but filters count them as spam, and several programs
/// link in spite of them.
struct LinkBreaker {
    private let scalars: [Unicode.Scalar]

    init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    /// The text with its spaces.
    func broken() -> [Unicode.Scalar] {
        guard scalars.contains(where: Self.mayLink) else { return scalars }
        var broken: [Unicode.Scalar] = []
        for index in scalars.indices {
            let scalar = scalars[index]
            let previous = index > 0 ? scalars[index - 1] : nil
            let next = index + 1 < scalars.count ? scalars[index + 1] : nil
            switch scalar {
            case ".", "\u{FF0E}", "\u{2024}", "\u{FF61}", "\u{3002}":
                broken.append(scalar)
                if Self.isOfHost(previous), Self.isOfHost(next), separatesHost(at: index) { broken.append(" ") }
            case "@" where Self.isVisible(previous) && Self.isVisible(next):
                broken += [" ", "@", " "]
            case "/" where previous == scalar && (Self.isOfHost(next) || next == "["),
                "\\" where previous == scalar && (Self.isOfHost(next) || next == "["):
                broken += [scalar, " "]
            case ":" where Self.isVisible(next) && next != "/" && next != "\\" && endsScheme(at: index):
                broken += [scalar, " "]
            default:
                broken.append(scalar)
            }
        }
        return broken
    }

    private static func mayLink(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case ".", "\u{FF0E}", "\u{2024}", "\u{FF61}", "\u{3002}", "@", "/", "\\", ":": true
        default: false
        }
    }

    private static func isVisible(_ scalar: Unicode.Scalar?) -> Bool {
        scalar.map { !$0.properties.isWhitespace } ?? false
    }

    /// Letters, marks, digits and symbols, so that `😀.com` counts as well.
    private static func isOfHost(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar else { return false }
        if scalar == "-" || scalar == "_" || scalar.isJoiner { return true }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
            .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber, .mathSymbol, .currencySymbol,
            .modifierSymbol, .otherSymbol:
            return true
        default: return false
        }
    }

    /// Whether the dot at this place stands before the label of a host name, or within an IP address.
    private func separatesHost(at index: Int) -> Bool {
        let isIdeographic = scalars[index] == "\u{3002}" || scalars[index] == "\u{FF61}"
        if isIdeographic, !scalars[index - 1].isASCII || !scalars[index + 1].isASCII { return false }
        let label = scalars[(index + 1)...].prefix { Self.isOfHost($0) }
        let letters = label.count { $0.properties.isLetter }
        return letters >= 2 || letters == 0 && isInAddress(at: index) || label.contains { $0.isSymbol }
    }

    /// Whether the dot at this place belongs to four numbers with dots between them (IPv4).
    private func isInAddress(at index: Int) -> Bool {
        let isPart = { (scalar: Unicode.Scalar) in
            scalar == "." || scalar == "\u{FF0E}" || scalar.properties.generalCategory == .decimalNumber
        }
        let start = scalars[..<index].lastIndex { !isPart($0) }.map { $0 + 1 } ?? 0
        let end = scalars[index...].firstIndex { !isPart($0) } ?? scalars.count
        let numbers = scalars[start..<end].split(omittingEmptySubsequences: false) { $0 == "." || $0 == "\u{FF0E}" }
        return numbers.indices.contains { first in
            first + 4 <= numbers.count && numbers[first..<first + 4].allSatisfy { !$0.isEmpty }
                && numbers[first + 1..<first + 3].allSatisfy { $0.count <= 3 } && numbers[first].count <= 3
                && numbers[first].startIndex <= index && index < numbers[first + 3].endIndex
        }
    }

    /// Whether the colon at this place ends a scheme that mail programs link without slashes.
    private func endsScheme(at index: Int) -> Bool {
        let letters = scalars[..<index].reversed().prefix { $0.isASCII && $0.properties.isAlphabetic }
        let start = index - letters.count
        let isWhole = start == 0 || !Self.isLetterOrDigit(scalars[start - 1])
        if isWhole, Self.schemes.contains(Self.text(letters.reversed())) { return true }
        // "ms-settings:" and other schemes of Windows.
        let run = scalars[..<index].reversed().prefix { $0 == "-" || $0.isASCII && $0.properties.isAlphabetic }
        let name = Self.text(run.reversed())
        let first = index - run.count
        if name.hasPrefix("ms-"), name.count > 3, first == 0 || !Self.isLetterOrDigit(scalars[first - 1]) {
            return true
        }
        return name.firstMatch(of: /\-ms-[a-z\-]/) != nil
    }

    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
    }

    private static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        String(String.UnicodeScalarView(scalars)).lowercased()
    }

    private static let schemes: Set = [
        "http", "https", "ftp", "ftps", "file", "mailto", "news", "nntp", "tel", "callto", "sms", "facetime", "skype",
        "xmpp", "sip", "sips", "data", "javascript", "vbscript", "magnet", "webcal", "irc", "ws", "wss",
    ]
}

extension Unicode.Scalar.Properties {
    fileprivate var isLetter: Bool {
        switch generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}

extension Unicode.Scalar {
    fileprivate var isSymbol: Bool {
        switch properties.generalCategory {
        case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: true
        default: false
        }
    }
}
