// The text of a report for people, without the returned mail. Never judges the words.

import InternetMessage

/// The text of a report: the mail system's explanation, and the returned mail's header if it follows in the same text.
struct ReportText {
    /// The lines of the mail system's own explanation.
    let lines: [Substring]
    /// The header of the returned mail.
    let returned: HeaderFields

    /// How many lines are tried as the beginning of a header, and how many lines of the header are read.
    private static let startLimit = 100
    private static let headerLimit = 200

    /// - Parameter text: may have line ends of any kind.
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
        // Lines with a > quote other people, or are the commands that Sendmail shows.
        lines = all[..<end].filter { !$0.hasPrefix(">") }
        self.returned = returned
    }

    init(lines: [Substring]) {
        self.lines = lines
        returned = HeaderFields([])
    }

    var isEmpty: Bool { lines.allSatisfy { $0.allSatisfy(\.isWhitespace) } }

    /// The explanation as one text.
    var whole: String { lines.joined(separator: "\n") }

    /// A report names a recipient in a few places.
    private static let passageLimit = 5

    /// The text after an address up to the next empty line, for each of the first paragraphs that name the address.
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
        // Some reports name only the local part.
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
    /// Whether the line begins with a field name and a colon.
    fileprivate var startsField: Bool {
        guard let colon = utf8.firstIndex(of: UInt8(ascii: ":")), colon > startIndex else { return false }
        return self[..<colon].utf8.allSatisfy { (33...126).contains($0) }
    }
}

extension HeaderFields {
    /// Whether these fields belong to a mail header, unlike the "To:" and "Subject:" in an explanation.
    fileprivate var isHeaderOfMail: Bool {
        let names = Set(names)
        let certain = ["received", "message-id", "return-path", "mime-version", "dkim-signature", "delivered-to"]
        let usual = ["from", "to", "subject", "date", "content-type", "x-mailer", "reply-to", "sender"]
        return names.intersection(certain).count + names.intersection(usual).count >= 2
            && (!names.isDisjoint(with: certain) || names.isSuperset(of: ["from", "subject", "date"]))
    }
}
