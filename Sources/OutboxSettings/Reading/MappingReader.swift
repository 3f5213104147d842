// Reads the keys of one mapping. A key is valid because the reader asks for it: there is no second list of keys.
// Never interprets a value.

import Yams

/// One mapping while its keys are read.
struct MappingReader {
    /// The mapping itself, for problems that do not concern a single key.
    let cursor: SettingCursor
    private let entries: [(key: String, keyNode: Node, value: Node)]
    private var validKeys: [String] = []
    private var missing: [(key: String, expected: String)] = []
    private var isGood = true

    /// Returns nil after reporting that the value is not a mapping.
    init?(_ cursor: SettingCursor, expected: String) {
        guard case .mapping(let mapping) = cursor.node else {
            // If the wrong file was named, such as a password file, its text is not quoted.
            var whole = cursor
            whole.isSecret = cursor.isSecret || cursor.path.isEmpty
            whole.report(.expected(expected))
            return nil
        }
        self.cursor = cursor
        // A key that is not a scalar gets a name that no valid key has.
        entries = mapping.map { ($0.key.scalar?.string ?? "?", $0.key, $0.value) }
    }

    /// Reads a required key. Returns nil after a problem was reported, or where `finish` will report one.
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

    /// Reads an optional key. After a problem, which stops the start, the default is used so that reading can continue.
    mutating func optional<Value>(_ key: String, _ reader: SettingReader<Value>, default value: Value) -> Value {
        ask(for: key).flatMap { read($0, reader) } ?? value
    }

    /// Reads an optional key that has no default.
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

    /// Reports unknown and missing keys. Returns whether the whole mapping was valid.
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
        // A mistyped key counts as one mistake, not as an unknown and a missing key.
        for (key, expected) in missing where !meant.contains(key) {
            cursor.log.add("missing; add \(expected)", path: SettingCursor.path(cursor.path, key), at: ownPosition)
        }
        return isGood
    }

    /// Where the mapping begins; nil for the whole file, which has no line to point at.
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
