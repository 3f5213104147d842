// Removes secrets from others' words before they are stored, shown or logged. Never reveals what it removed.

import InternetMessage

/// Masks a message's or a connection's secrets in the words of a relay or of another mail system.
///
/// A peer may repeat anything that it was sent: the link that a filter objects to, the credentials that it refuses.
/// Each secret is found unchanged, in any case, percent-encoded wholly or in part, and as base64 or base64url, also
/// within a longer base64 text such as AUTH PLAIN's response (RFC 4616). White space and invisible characters within it
/// don't matter, because a reply of several lines adds some. For a secret of more than 12 octets, each piece of 12 octets is found.
///
/// The path and the query of web addresses are always cut (see `cuttingWebAddresses`).
/// If a secret is so short that masking would reveal it (`shortestSecret`), all words are withheld.
///
/// Time and memory are linear in the length of the words and of the secrets.
package struct SecretMask: Sendable, CustomStringConvertible, CustomReflectable {
    /// Replaces a secret.
    package static let replacement = "[secret]"
    /// Replaces all words where a secret is too short to be masked in them.
    package static let withheld = "[words withheld: they could hold a secret too short to be masked]"
    /// In octets. A text without any "7" reveals that the secret was "7"; four octets can't be guessed that way.
    package static let shortestSecret = 4

    /// Only cuts web addresses: for words without known secrets.
    package static let none = SecretMask([])

    private struct Index: Sendable {
        let exact: GramIndex
        let foldingCase: GramIndex
        /// The secrets without their own white space, for texts without white space.
        let withoutSpace: GramIndex
    }

    /// How much of a secret's beginning is masked at the end of a text that goes on elsewhere. More than in a text that
    /// was cut: words that end like this are common there.
    private static let shortestBeginning = 6

    private let indexes: [Index]
    private let isWithholding: Bool

    /// - Parameters:
    ///   - secrets: the texts to mask; empty ones are ignored.
    ///   - encodings: further octets of which a secret is only a part, such as AUTH PLAIN's response with the user
    ///     name; only their base64 form is searched for.
    package init(_ secrets: [String], encodings: [[UInt8]] = []) {
        let secrets = secrets.map { Array($0.utf8) }.filter { !$0.isEmpty }
        let searchable = secrets.filter { $0.count >= Self.shortestSecret }
        isWithholding = searchable.count < secrets.count
        let folded = searchable.map { $0.map(\.lowercasedASCII) }
        let foldingCase = GramIndex(folded)
        let hasSpace = folded.contains { $0.contains { $0 <= 0x20 } }
        let withoutSpace = hasSpace ? GramIndex(folded.map { MaskView($0).withoutSpace.bytes }) : foldingCase
        let encoded = (searchable + encodings).flatMap { secret in
            (0...2).flatMap { offset in
                let base64 = Base64Pattern.pattern(for: secret, offset: offset)
                let base64URL = base64.map(\.base64URL)
                // Nearly every text in ASCII has one form only.
                return base64 == base64URL ? [base64] : [base64, base64URL]
            }
        }
        let exact = GramIndex(encoded.filter { $0.count >= Self.shortestSecret })
        indexes = foldingCase.isEmpty ? [] : [Index(exact: exact, foldingCase: foldingCase, withoutSpace: withoutSpace)]
    }

    /// Creates a mask that removes at once what each of these removes. One after the other they would remove less: a
    /// replacement within a base64 text hides from the next mask that both sides of it are one word.
    package init(all masks: [SecretMask]) {
        indexes = masks.flatMap(\.indexes)
        isWithholding = masks.contains(where: \.isWithholding)
    }

    /// The text without secrets, and without the paths of web addresses.
    package func masked(_ text: String) -> String {
        if isWithholding { return text.isEmpty ? text : Self.withheld }
        let bytes = Array(text.utf8)
        guard let marks = marks(in: bytes, goesOn: false) else { return text.cuttingWebAddresses }
        return Self.replacing(marks, in: bytes, bytes.indices).cuttingWebAddresses
    }

    /// The lines of a text without secrets, one for each: for a text that is shown in pieces.
    ///
    /// A secret may go on from one line to the next, from the text before to the first line, and from the last line to a
    /// text that follows. The beginning of a secret that ends the last line is masked from six octets on.
    ///
    /// - Parameters:
    ///   - lines: without line breaks.
    ///   - before: the end of the text before them; some hundred octets are enough.
    package func masked(_ lines: [String], after before: String) -> [String] {
        if isWithholding { return lines.map { $0.isEmpty ? $0 : Self.withheld } }
        var bytes = Array(before.utf8)
        var ranges: [Range<Int>] = []
        for line in lines {
            bytes.append(UInt8(ascii: "\n"))
            let start = bytes.count
            bytes += line.utf8
            ranges.append(start..<bytes.count)
        }
        guard let marks = marks(in: bytes, goesOn: true) else { return lines.map(\.cuttingWebAddresses) }
        return ranges.map { Self.replacing(marks, in: bytes, $0).cuttingWebAddresses }
    }

    /// The same as `SecretMask(secrets).masked(text)`, for secrets that are masked once: nearly no text has a trace of them,
    /// and to see that costs far less than a mask.
    package static func masked(_ text: String, hiding secrets: [String]) -> String {
        SecretTraces.mayBe(in: text, of: secrets) ? SecretMask(secrets).masked(text) : text.cuttingWebAddresses
    }

    package var description: String { "<secrets>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }

    /// Which octets belong to secrets; `nil` for none. A further form of a secret that is found here must also leave a trace
    /// for ``SecretTraces``, which decides whether a mask is made at all.
    ///
    /// - Parameter goesOn: whether another text follows this one.
    private func marks(in bytes: [UInt8], goesOn: Bool) -> [Bool]? {
        let shortest = indexes.map { min($0.foldingCase.shortestGram, $0.exact.shortestGram) }.min() ?? .max
        guard !indexes.isEmpty, bytes.count >= (goesOn ? Self.shortestBeginning : shortest) else { return nil }
        let beginning = goesOn ? Self.shortestBeginning : nil
        var isSecret = [Bool](repeating: false, count: bytes.count)
        var views = [MaskView(bytes)]
        // Across white space only long matches count: four letters may well end one word and begin the next.
        var viewsAcrossSpace = [views[0].withoutSpace]
        if bytes.contains(UInt8(ascii: "%")) {
            views.append(views[0].percentDecoded)
            // Decoding may bring further white space: a secret's own.
            viewsAcrossSpace.append(viewsAcrossSpace[0].percentDecoded.withoutSpace)
            viewsAcrossSpace.append(viewsAcrossSpace[1].percentDecoded.withoutSpace)
        }
        var isEncoded = [Bool](repeating: false, count: bytes.count)
        for view in views {
            let folded = view.foldingCase
            for index in indexes {
                index.foldingCase.mark(folded, beginning: beginning, in: &isSecret)
                index.exact.mark(view, beginning: beginning, in: &isEncoded)
            }
        }
        for view in viewsAcrossSpace {
            let folded = view.foldingCase
            for index in indexes {
                index.withoutSpace.mark(folded, minimum: 8, beginning: beginning, in: &isSecret)
                index.exact.mark(view, minimum: 8, beginning: beginning, in: &isEncoded)
            }
        }
        if isEncoded.contains(true) { Self.spread(&isEncoded, over: bytes) }
        for index in bytes.indices where isEncoded[index] { isSecret[index] = true }
        return isSecret.contains(true) ? isSecret : nil
    }

    /// The letters beside an encoded secret contain some of its bits, and may belong to the same response. So the whole
    /// base64 word is masked.
    private static func spread(_ marks: inout [Bool], over bytes: [UInt8]) {
        for index in bytes.indices.dropFirst() where marks[index - 1] && bytes[index].isBase64 { marks[index] = true }
        for index in bytes.indices.dropLast().reversed() where marks[index + 1] && bytes[index].isBase64 {
            marks[index] = true
        }
    }

    private static func replacing(_ isSecret: [Bool], in bytes: [UInt8], _ range: Range<Int>) -> String {
        var kept: [UInt8] = []
        for index in range {
            if !isSecret[index] {
                kept.append(bytes[index])
            } else if index == range.lowerBound || !isSecret[index - 1] {
                kept += replacement.utf8
            }
        }
        return String(decoding: kept, as: UTF8.self)
    }
}

extension TransmissionResult {
    /// The result with the relay's and libcurl's words masked.
    package func masked(by mask: SecretMask) -> TransmissionResult { masked(mask.masked) }

    /// The same as with a mask of these secrets, which costs much less for secrets that are masked once.
    package func masked(hiding secrets: [String]) -> TransmissionResult {
        masked { SecretMask.masked($0, hiding: secrets) }
    }

    private func masked(_ mask: (String) -> String) -> TransmissionResult {
        switch self {
        case .accepted(let reply): .accepted(reply.masked(mask))
        case .failed(let failure): .failed(failure.masked(mask))
        case .withheld: .withheld
        }
    }
}

extension TransmissionFailure {
    fileprivate func masked(_ mask: (String) -> String) -> TransmissionFailure {
        switch cause {
        case .reply(let reply):
            let masked = reply.masked(mask)
            return with(.reply(masked), detail: masked.description)
        case .authenticationRefused(.some(let reply)):
            let masked = reply.masked(mask)
            return with(.authenticationRefused(masked), detail: masked.description)
        case .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .tlsHandshake, .certificate,
            .startTLSNotOffered, .authenticationRefused(nil), .tokenRefused, .tokenUnavailable,
            .authenticationNotOffered, .garbledReply, .outOfStep, .smtpUTF8NotOffered, .tooLargeForRelay, .composition,
            .interrupted, .other:
            return with(cause, detail: mask(detail))
        }
    }

    private func with(_ cause: TransmissionCause, detail: String) -> TransmissionFailure {
        TransmissionFailure(stage: stage, cause: cause, detail: detail, isUncertain: isUncertain)
    }
}

extension SMTPReply {
    fileprivate func masked(_ mask: (String) -> String) -> SMTPReply {
        SMTPReply(code: code, enhancedStatus: enhancedStatus, text: mask(text))
    }
}

/// A text in the form that is searched: octets, each with the range of the original text that it stands for.
struct MaskView {
    var bytes: [UInt8]
    /// Where each octet begins in the original text, and one more entry for the end.
    var starts: [Int]
    var ends: [Int]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        starts = Array(bytes.indices)
        ends = bytes.indices.map { $0 + 1 }
    }

    var foldingCase: MaskView {
        var view = self
        view.bytes = bytes.map(\.lowercasedASCII)
        return view
    }

    /// Without white space, without the "=" before it that breaks a line in quoted-printable (RFC 2045 §6.7), and
    /// without characters that can't be seen.
    var withoutSpace: MaskView {
        var view = MaskView([])
        var index = 0
        while index < bytes.count {
            defer { index += 1 }
            guard bytes[index] > 0x20 else { continue }
            if bytes[index] == UInt8(ascii: "="), index + 1 < bytes.count, bytes[index + 1] <= 0x20 { continue }
            if bytes[index] >= 0xC2, let length = lengthOfFormatCharacter(at: index) {
                index += length - 1
                continue
            }
            view.append(bytes[index], self, index...index)
        }
        return view
    }

    /// The octets of the format character (Unicode's category Cf) that begins here; `nil` for another character.
    private func lengthOfFormatCharacter(at index: Int) -> Int? {
        let length = bytes[index] < 0xE0 ? 2 : bytes[index] < 0xF0 ? 3 : 4
        guard index + length <= bytes.count else { return nil }
        let scalar = String(decoding: bytes[index..<index + length], as: UTF8.self).unicodeScalars.first
        return scalar?.properties.generalCategory == .format ? length : nil
    }

    var percentDecoded: MaskView {
        guard bytes.contains(UInt8(ascii: "%")) else { return self }
        var view = MaskView([])
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = bytes[index + 1].hexDigit,
                let low = bytes[index + 2].hexDigit
            {
                view.append(high << 4 | low, self, index...index + 2)
                index += 3
            } else {
                view.append(bytes[index], self, index...index)
                index += 1
            }
        }
        return view
    }

    private mutating func append(_ byte: UInt8, _ source: MaskView, _ range: ClosedRange<Int>) {
        bytes.append(byte)
        starts.append(source.starts[range.lowerBound])
        ends.append(source.ends[range.upperBound])
    }
}

/// The base64 form (RFC 4648 §4) of a secret within a longer text.
private enum Base64Pattern {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The letters that depend on the secret alone, where `offset` octets (0 to 2) precede it in its first group.
    static func pattern(for secret: [UInt8], offset: Int) -> [UInt8] {
        let bits = (offset + secret.count) * 8
        let first = (offset * 8 + 5) / 6
        let padded = [UInt8](repeating: 0, count: offset) + secret + [0]
        return (first..<max(first, bits / 6)).map { place in
            let bit = place * 6
            let pair = UInt16(padded[bit / 8]) << 8 | UInt16(padded[bit / 8 + 1])
            return alphabet[Int(pair >> (10 - bit % 8) & 0x3F)]
        }
    }
}

extension UInt8 {
    var lowercasedASCII: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }

    /// The letter of base64url (RFC 4648 §5) for one of base64.
    fileprivate var base64URL: UInt8 {
        switch self {
        case UInt8(ascii: "+"): UInt8(ascii: "-")
        case UInt8(ascii: "/"): UInt8(ascii: "_")
        default: self
        }
    }

    fileprivate var isBase64: Bool {
        isASCIILetterOrDigit || "+/-_=".utf8.contains(self)
    }

    fileprivate var hexDigit: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
