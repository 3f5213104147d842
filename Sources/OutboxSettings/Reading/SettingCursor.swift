// One value in the file together with its place; whoever reads it reports problems through it.
// Never decides what a value means.

import Yams

/// A node, the path of its key, and where problems go.
struct SettingCursor {
    let node: Node
    let path: String
    let log: ProblemLog
    /// Whether the value may be a password, or hold one. No message shows it.
    var isSecret = false

    /// What lies one step below.
    func child(_ node: Node, key: String) -> SettingCursor {
        SettingCursor(node: node, path: Self.path(path, key), log: log, isSecret: isSecret)
    }

    /// What lies at an index of a list.
    func child(_ node: Node, index: Int) -> SettingCursor {
        SettingCursor(node: node, path: "\(path)[\(index)]", log: log, isSecret: isSecret)
    }

    /// Reports a problem at this value.
    func report(_ message: String) {
        log.add(message, path: path, at: FilePosition(node.mark))
    }

    /// Reports a value that is not what it should be.
    func report(_ error: InvalidSetting) {
        switch error {
        case .expected(let expected, let hint):
            report("expected \(expected), found \(found)\(hint.map { "; \($0)" } ?? "")")
        case .refused(let message):
            report(message)
        }
    }

    /// The text of a scalar as it stands in the file and the type YAML would give it; nil after reporting that it is
    /// none, has a tag, or is empty.
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

    /// The value in the words of an error message.
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

    /// A text in quotes, at most 80 characters of it, with control characters made visible.
    static func quoted(_ text: String) -> String {
        let limit = 80
        let shown = text.unicodeScalars.prefix(limit).map { scalar in
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                || scalar == "\"" ? scalar.escaped(asASCII: true) : String(scalar)
        }
        let isCut = text.unicodeScalars.dropFirst(limit).first != nil
        return "\"\(shown.joined())\(isCut ? "…" : "")\""
    }

    /// `a.b`; a key that is no plain word is quoted.
    static func path(_ parent: String, _ key: String) -> String {
        let isPlain = key.utf8.count <= 64 && key.wholeMatch(of: /[A-Za-z0-9_\-]+/) != nil
        let name = isPlain ? key : quoted(key)
        return parent.isEmpty ? name : "\(parent).\(name)"
    }
}
