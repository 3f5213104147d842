// The small readers for all keys: text, paths, numbers, durations, choices, lists, mappings.
// Never knows the name of a key.

import Yams

/// Reads one value; returns nil after reporting at least one problem.
struct SettingReader<Value> {
    let read: (SettingCursor) -> Value?
}

extension SettingReader {
    /// Converts a value, or refuses it.
    func map<Other>(
        _ transform: @escaping (Value) throws(InvalidSetting) -> Other
    ) -> SettingReader<Other> {
        SettingReader<Other> { cursor in
            guard let value = read(cursor) else { return nil }
            do throws(InvalidSetting) {
                return try transform(value)
            } catch {
                cursor.report(error)
                return nil
            }
        }
    }

    /// The same reader for a value that may be a password: no message shows the value.
    var secret: SettingReader {
        SettingReader { cursor in
            var hidden = cursor
            hidden.isSecret = true
            return read(hidden)
        }
    }

    /// A list whose number of values is in a range.
    static func list<Element>(
        of element: SettingReader<Element>,
        expected: String,
        count: ClosedRange<Int>
    ) -> SettingReader where Value == [Element] {
        SettingReader { cursor in
            guard case .sequence(let nodes) = cursor.node else {
                cursor.report(.expected(expected))
                return nil
            }
            guard count.contains(nodes.count) else {
                cursor.report(
                    "expected \(expected) with \(count.lowerBound) to \(count.upperBound) entries, found \(nodes.count)"
                )
                return nil
            }
            let values = nodes.enumerated().map { element.read(cursor.child($1, index: $0)) }
            let good = values.compactMap(\.self)
            return good.count == values.count ? good : nil
        }
    }

    /// A mapping with keys that are known in advance. The body reads every key each time, even after a problem: the
    /// keys that it reads are the list of valid keys.
    static func mapping(
        expected: String,
        _ body: @escaping (inout MappingReader) -> Value?
    ) -> SettingReader {
        SettingReader { cursor in
            guard var keys = MappingReader(cursor, expected: expected) else { return nil }
            let value = body(&keys)
            return keys.finish() ? value : nil
        }
    }

    /// A value that is written as a mapping, or in a shorter form.
    static func either(mapping: SettingReader, else short: SettingReader) -> SettingReader {
        SettingReader { cursor in
            if case .mapping = cursor.node { return mapping.read(cursor) }
            return short.read(cursor)
        }
    }

    /// A mapping with keys that the operator chooses, at least one of them.
    static func table<Element>(
        expected: String,
        key: @escaping (String) throws(InvalidSetting) -> String,
        of element: SettingReader<Element>
    ) -> SettingReader where Value == [String: Element] {
        SettingReader { cursor in
            guard case .mapping(let mapping) = cursor.node, !mapping.isEmpty else {
                cursor.report(.expected(expected))
                return nil
            }
            let keyReader = SettingReader<String>.text(expected: "a name as the key").map(key)
            var values: [String: Element] = [:]
            for (keyNode, valueNode) in mapping {
                let name = keyNode.scalar?.string ?? ""
                let checkedName = keyReader.read(cursor.child(keyNode, key: name))
                let value = element.read(cursor.child(valueNode, key: name))
                if let checkedName, let value { values[checkedName] = value }
            }
            return values.count == mapping.count ? values : nil
        }
    }
}

extension SettingReader where Value == String {
    /// Text. Text that YAML reads as a boolean or a number must be in quotes.
    static func text(expected: String) -> SettingReader {
        SettingReader { cursor in
            guard let (text, kind) = cursor.scalar(expected: expected) else { return nil }
            guard kind == .text else {
                cursor.report(.expected(expected, hint: "put it in quotes if it is meant as text"))
                return nil
            }
            return text
        }
    }

    /// Text of 1 to `limit` characters without control characters.
    static func line(expected: String, limit: Int) -> SettingReader {
        text(expected: expected).map { (text: String) throws(InvalidSetting) in
            guard !text.isEmpty else { throw .expected(expected, hint: "give a value or remove the line") }
            guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
                throw .expected("\(expected) without control characters")
            }
            guard text.unicodeScalars.count <= limit else {
                throw .expected("\(expected) of at most \(limit) characters")
            }
            return text
        }
    }

    /// A path, resolved against the folder of the file.
    static func path(expected: String) -> SettingReader {
        SettingReader { cursor in
            let reader = line(expected: expected, limit: 4096).map { (path: String) throws(InvalidSetting) in
                guard path != "~", !path.hasPrefix("~/") else {
                    throw .expected(expected, hint: "~ does not stand for a folder here; write the whole path")
                }
                return path.hasPrefix("/") ? path : "\(cursor.log.folder)/\(path)"
            }
            return reader.read(cursor)
        }
    }
}

extension SettingReader where Value == Duration {
    /// A duration in a range.
    static func duration(_ range: ClosedRange<Duration>, wholeSeconds: Bool = false) -> SettingReader {
        SettingReader<String> { $0.scalar(expected: "a duration such as 5s, 1m30s or 24h")?.text }
            .map { (text: String) throws(InvalidSetting) in
                let duration = try Duration(settingText: text)
                guard range.contains(duration) else {
                    throw .expected(
                        "a duration from \(range.lowerBound.settingText) to \(range.upperBound.settingText)"
                    )
                }
                guard !wholeSeconds || duration.components.attoseconds == 0 else {
                    throw .expected("a duration in whole seconds")
                }
                return duration
            }
    }
}

extension SettingReader where Value == Bool {
    /// `true` or `false`, but not YAML 1.1's other words for them.
    static var boolean: SettingReader {
        SettingReader { cursor in
            guard let (text, kind) = cursor.scalar(expected: "true or false") else { return nil }
            guard kind == .boolean, let value = Bool(text) else {
                let isQuoted = kind == .text && Bool(text) != nil
                cursor.report(.expected("true or false", hint: isQuoted ? "remove the quotes" : nil))
                return nil
            }
            return value
        }
    }
}

extension SettingReader where Value == Duration? {
    /// A duration in a range, or `none`.
    static func durationOrNone(_ range: ClosedRange<Duration>) -> SettingReader {
        let duration = SettingReader<Duration>.duration(range)
        return SettingReader { cursor in
            if case .scalar(let scalar) = cursor.node, scalar.string == "none" { return .some(nil) }
            return duration.read(cursor)
        }
    }
}

extension SettingReader where Value == Int {
    /// A whole number in a range, in plain decimal digits: YAML 1.1 reads `010` as 8 and `1:30` as 90.
    static func integer(_ range: ClosedRange<Int>) -> SettingReader {
        let expected = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return SettingReader { cursor in
            guard let (text, kind) = cursor.scalar(expected: expected) else { return nil }
            guard kind == .number, text.wholeMatch(of: /0|[1-9][0-9]*/) != nil, let number = Int(text),
                range.contains(number)
            else {
                let isQuoted = kind == .text && Int(text) != nil
                cursor.report(.expected(expected, hint: isQuoted ? "remove the quotes" : nil))
                return nil
            }
            return number
        }
    }
}

extension SettingReader where Value == Double {
    /// A number in a range, in plain decimal digits.
    static func decimal(_ range: ClosedRange<Double>) -> SettingReader {
        let expected = "a number from \(range.lowerBound.formatted) to \(range.upperBound.formatted)"
        return SettingReader { cursor in
            guard let (text, kind) = cursor.scalar(expected: expected) else { return nil }
            guard kind == .number, text.wholeMatch(of: /(0|[1-9][0-9]*)(\.[0-9]+)?/) != nil,
                let number = Double(text), range.contains(number)
            else {
                cursor.report(.expected(expected))
                return nil
            }
            return number
        }
    }
}

extension Double {
    /// Omits `.0` behind a whole number.
    fileprivate var formatted: String {
        let text = String(self)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

extension SettingReader where Value: CaseIterable & RawRepresentable<String> {
    /// One of the names of an enumeration.
    static var choice: SettingReader {
        let names = Value.allCases.map(\.rawValue)
        let expected = "one of \(names.joined(separator: ", "))"
        return SettingReader { cursor in
            guard let text = cursor.scalar(expected: expected)?.text else { return nil }
            guard let value = Value(rawValue: text) else {
                let near = NearestKey.find(text, among: names)
                cursor.report(.expected(expected, hint: near.map { "did you mean \($0)?" }))
                return nil
            }
            return value
        }
    }
}
