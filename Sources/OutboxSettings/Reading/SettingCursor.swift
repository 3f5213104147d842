// One value in the file together with its place; readers report problems through it.
// Never interprets a value.

import Yams

/// A node, the path of its key, and the log for problems.
struct SettingCursor {
    let node: Node
    let path: String
    let log: ProblemLog
    /// Whether the value may be or contain a password; then no message shows it.
    var isSecret = false

    /// The value of a key in this mapping.
    func child(_ node: Node, key: String) -> SettingCursor {
        SettingCursor(node: node, path: Self.path(path, key), log: log, isSecret: isSecret)
    }

    /// The entry of this list at an index.
    func child(_ node: Node, index: Int) -> SettingCursor {
        SettingCursor(node: node, path: "\(path)[\(index)]", log: log, isSecret: isSecret)
    }

    /// Reports a problem at this value.
    func report(_ message: String) {
        log.add(message, path: path, at: FilePosition(node.mark))
    }

    /// Reports an invalid value.
    func report(_ error: InvalidSetting) {
        switch error {
        case .expected(let expected, let hint):
            report("expected \(expected), found \(found)\(hint.map { "; \($0)" } ?? "")")
        case .refused(let message):
            report(message)
        }
    }

    /// The text of a scalar as written in the file, and the type that YAML would give it. Returns nil after reporting
    /// that the value is not a scalar, has a tag, or is empty.
    func scalar(expected: String) -> (text: String, kind: ScalarKind)? {
        guard case .scalar(let scalar) = node, let kind = ScalarKind(of: node) else {
            report(.expected(expected))
            return nil
        }
        guard [Tag.Name.implicit.rawValue, Tag.Name.str.rawValue].contains(scalar.tag.description) else {
            report("expected \(expected), found a value with a YAML tag; remove the tag")
            return nil
        }
        guard kind != .null else {
            report(.expected(expected, hint: "give a value or remove the line"))
            return nil
        }
        return (scalar.string, kind)
    }

    /// The value as an error message describes it.
    var found: String {
        switch node {
        case .mapping: return "a mapping"
        case .sequence: return "a list"
        case .alias: return "an alias"
        case .scalar(let scalar):
            let kind =
                switch ScalarKind(of: node) {
                case .null: "nothing"
                case .boolean: "the boolean"
                case .number: "the number"
                default: "the text"
                }
            if kind == "nothing" { return kind }
            if isSecret { return "\(kind.replacing("the", with: "a")) that is not shown here" }
            let isText = kind == "the text"
            return isText ? Self.quoted(scalar.string) : "\(kind) \(Self.quoted(scalar.string))"
        }
    }

    /// A text in quotes, cut to 80 characters, with control characters made visible.
    static func quoted(_ text: String) -> String {
        let limit = 80
        let shown = text.unicodeScalars.prefix(limit).map { scalar in
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                || scalar == "\"" ? scalar.escaped(asASCII: true) : String(scalar)
        }
        let isCut = text.unicodeScalars.dropFirst(limit).first != nil
        return "\"\(shown.joined())\(isCut ? "…" : "")\""
    }

    /// Joins the keys as `a.b`; a key that is not a plain word is quoted.
    static func path(_ parent: String, _ key: String) -> String {
        let isPlain = key.utf8.count <= 64 && key.wholeMatch(of: /[A-Za-z0-9_\-]+/) != nil
        let name = isPlain ? key : quoted(key)
        return parent.isEmpty ? name : "\(parent).\(name)"
    }
}
