// Reads the keys of one mapping. A key is valid because it was asked for: there is no second list of keys.
// Never interprets a value.

import Yams

/// One mapping while its keys are asked for.
struct MappingReader {
    /// The mapping itself, for problems that are not about one key.
    let cursor: SettingCursor
    private let entries: [(key: String, keyNode: Node, value: Node)]
    private var validKeys: [String] = []
    private var missing: [(key: String, expected: String)] = []
    private var isGood = true

    /// Nil after reporting that the value is no mapping.
    init?(_ cursor: SettingCursor, expected: String) {
        guard case .mapping(let mapping) = cursor.node else {
            // Whatever file was named by mistake, such as one with a password, is not quoted.
            var whole = cursor
            whole.isSecret = cursor.isSecret || cursor.path.isEmpty
            whole.report(.expected(expected))
            return nil
        }
        self.cursor = cursor
        // A key that is no scalar gets a name that no valid key has.
        entries = mapping.map { ($0.key.scalar?.string ?? "?", $0.key, $0.value) }
    }

    /// A key that must be there. Nil after a problem was reported, or will be by `finish`.
    mutating func required<Value>(
        _ key: String,
        _ reader: SettingReader<Value>,
        missing expected: String
    ) -> Value? {
        guard let found = ask(for: key) else {
            missing.append((key, expected))
            isGood = false
            return nil
        }
        return read(found, reader)
    }

    /// A key that may be left out. After a problem, which stops the start, the default stands in so that reading
    /// goes on.
    mutating func optional<Value>(_ key: String, _ reader: SettingReader<Value>, default value: Value) -> Value {
        ask(for: key).flatMap { read($0, reader) } ?? value
    }

    /// A key that may be left out and has no default.
    mutating func optional<Value>(_ key: String, _ reader: SettingReader<Value>) -> Value? {
        ask(for: key).flatMap { read($0, reader) }
    }

    /// Whether the file has a key.
    func has(_ key: String) -> Bool {
        entries.contains { $0.key == key }
    }

    /// Reports a problem with a key at its value, or at the mapping when the file does not have the key.
    mutating func report(_ key: String, _ message: String) {
        isGood = false
        let node = entries.first { $0.key == key }?.value
        cursor.log.add(
            message,
            path: SettingCursor.path(cursor.path, key),
            at: node.map { FilePosition($0.mark) } ?? ownPosition
        )
    }

    /// Reports unknown and missing keys. Returns whether everything in the mapping was good.
    mutating func finish() -> Bool {
        let valid = validKeys.sorted()
        let list = "(keys here: \(valid.joined(separator: ", ")))"
        let absent = valid.filter { !has($0) }
        var meant: Set<String> = []
        for entry in entries where !validKeys.contains(entry.key) {
            isGood = false
            let near = NearestKey.find(entry.key, among: absent)
            if let near { meant.insert(near) }
            let question = near.map { "; did you mean \"\($0)\"?" } ?? ""
            if cursor.isSecret {
                let place = SettingCursor(node: entry.keyNode, path: cursor.path, log: cursor.log)
                place.report("unknown key, not shown here because it may be the password\(question) \(list)")
            } else if entry.keyNode.scalar == nil {
                cursor.child(entry.keyNode, key: entry.key).report(.expected("the name of a key \(list)"))
            } else {
                cursor.child(entry.keyNode, key: entry.key).report("unknown key\(question) \(list)")
            }
        }
        // A mistyped key is one mistake, not two.
        for (key, expected) in missing where !meant.contains(key) {
            cursor.log.add("missing; add \(expected)", path: SettingCursor.path(cursor.path, key), at: ownPosition)
        }
        return isGood
    }

    /// Where the mapping begins; nil for the whole file, which has no line of its own to point at.
    private var ownPosition: FilePosition? {
        cursor.path.isEmpty ? nil : FilePosition(cursor.node.mark)
    }

    private mutating func ask(for key: String) -> SettingCursor? {
        precondition(!validKeys.contains(key), "the key \(key) is read twice")
        validKeys.append(key)
        cursor.log.addKey(SettingCursor.path(cursor.path, key))
        return entries.first { $0.key == key }.map { cursor.child($0.value, key: key) }
    }

    private mutating func read<Value>(_ found: SettingCursor, _ reader: SettingReader<Value>) -> Value? {
        let value = reader.read(found)
        if value == nil { isGood = false }
        return value
    }
}
