// Reads names of kinds of mail, and lists of them that are checked against the known kinds.
// Never knows the purpose of the list.

import OutboxCore

/// Checks names of kinds of mail.
enum KindName {
    /// Returns the name if it matches `^[a-z][a-z0-9-]{0,63}$`, as the database requires.
    static func checked(_ name: String) throws(InvalidSetting) -> String {
        guard name.wholeMatch(of: /[a-z][a-z0-9\-]{0,63}/) != nil else {
            throw .expected(
                "the name of a kind of mail: 1 to 64 lower-case letters, digits and hyphens, a letter first"
            )
        }
        return name
    }
}

extension SettingReader where Value == Set<String> {
    /// A list of kinds, possibly empty, each once and each with a line in `links`.
    ///
    /// - Parameter links: nil when `links` could not be read; then the kinds are not checked.
    static func kinds(in links: [String: LinkTemplate]?) -> SettingReader {
        let kind = SettingReader<String>.text(expected: "the name of a kind of mail")
            .map(KindName.checked)
            .map { (kind: String) throws(InvalidSetting) in
                guard let links, links[kind] == nil else { return kind }
                let near = NearestKey.find(kind, among: links.keys.sorted())
                throw .expected(
                    "a kind of mail that has a line in links",
                    hint: near.map { "did you mean \($0)?" } ?? "add its line there, or remove it here"
                )
            }
        let all = SettingReader<[(kind: String, place: SettingCursor)]>.list(
            of: SettingReader<(kind: String, place: SettingCursor)> { cursor in
                kind.read(cursor).map { ($0, cursor) }
            },
            expected: "a list of kinds of mail such as [verify-email]",
            count: 0...1000
        )
        return SettingReader { cursor in
            guard let entries = all.read(cursor) else { return nil }
            var firstOfKind: [String: String] = [:]
            for (kind, place) in entries {
                if let first = firstOfKind[kind] {
                    place.report("\(SettingCursor.quoted(kind)) is also \(first); remove one of the two")
                } else {
                    firstOfKind[kind] = place.path
                }
            }
            return firstOfKind.count == entries.count ? Set(firstOfKind.keys) : nil
        }
    }
}
