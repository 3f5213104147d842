// What a report says to people, apart from the mail that it returns. Never judges the words.

import InternetMessage

/// The text of a report: what the mail system says, and the returned mail's header where it follows in the same text.
struct ReportText {
    /// The lines of the mail system's own account.
    let lines: [Substring]
    /// The header of the mail that comes back.
    let returned: HeaderFields

    /// So many lines may look like the beginning of a header, and so many lines of it are looked at.
    private static let startLimit = 100
    private static let headerLimit = 200

    /// - Parameter text: with any line ends.
    init(_ text: String) {
        let all = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        var end = all.endIndex
        var returned = HeaderFields([])
        let starts = all.indices.lazy.filter { all[$0].startsField && ($0 == 0 || !all[$0 - 1].startsField) }
        for index in starts.prefix(Self.startLimit) {
            let block = all[index...].prefix(Self.headerLimit).prefix { !$0.allSatisfy(\.isWhitespace) }
            let fields = HeaderFields(ArraySlice(block.map { Array($0.utf8)[...] }))
            guard fields.isHeaderOfMail else { continue }
            (end, returned) = (index, fields)
            break
        }
        // Lines with a > are somebody else's words, or the commands that Sendmail shows.
        lines = all[..<end].filter { !$0.hasPrefix(">") }
        self.returned = returned
    }

    init(lines: [Substring]) {
        self.lines = lines
        returned = HeaderFields([])
    }

    var isEmpty: Bool { lines.allSatisfy { $0.allSatisfy(\.isWhitespace) } }

    /// The account as one text.
    var whole: String { lines.joined(separator: "\n") }

    /// A report names a recipient in a few places.
    private static let passageLimit = 5

    /// What stands behind an address, up to the next empty line, for each of the first paragraphs that name it.
    func passages(about address: String) -> [String] {
        let address = address.lowercased()
        let local = address.prefix { $0 != "@" }
        let paragraphs = lines.split { $0.allSatisfy(\.isWhitespace) }
        func passages(_ isStart: (String) -> Bool) -> [String] {
            var passages: [String] = []
            for paragraph in paragraphs where passages.count < Self.passageLimit {
                if let passage = paragraph.passage(isStart) { passages.append(passage) }
            }
            return passages
        }
        let named = passages { $0.contains(address) }
        // Some name the local part alone.
        return named.isEmpty && local.count > 2 ? passages { $0.saysWord(local) } : named
    }
}

extension ArraySlice<Substring> {
    fileprivate func passage(_ isStart: (String) -> Bool) -> String? {
        firstIndex { isStart($0.lowercased()) }.map { self[$0...].joined(separator: "\n") }
    }
}

extension String {
    fileprivate func saysWord(_ word: Substring) -> Bool {
        split { !$0.isLetter && !$0.isNumber && !"._-+".contains($0) }.contains(word)
    }
}

extension Substring {
    /// A field's name and a colon, at the beginning of the line.
    fileprivate var startsField: Bool {
        guard let colon = utf8.firstIndex(of: UInt8(ascii: ":")), colon > startIndex else { return false }
        return self[..<colon].utf8.allSatisfy { (33...126).contains($0) }
    }
}

extension HeaderFields {
    /// Whether these are fields that the header of a mail has, rather than an account's own "To:" and "Subject:".
    fileprivate var isHeaderOfMail: Bool {
        let names = Set(names)
        let certain = ["received", "message-id", "return-path", "mime-version", "dkim-signature", "delivered-to"]
        let usual = ["from", "to", "subject", "date", "content-type", "x-mailer", "reply-to", "sender"]
        return names.intersection(certain).count + names.intersection(usual).count >= 2
            && (!names.isDisjoint(with: certain) || names.isSuperset(of: ["from", "subject", "date"]))
    }
}
