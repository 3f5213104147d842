// Parses the text of the file into a tree of YAML nodes, or explains why we do not accept it.
// Never interprets a value; every scalar stays text.

import Yams

/// Reads YAML without the features that surprise in a configuration file: aliases, merges, implicit types.
enum YAMLDocument {
    /// Maximum number of aliases, checked before composing: Yams compares the keys of every mapping, and a key made of
    /// nested aliases would take exponential time.
    static let aliasLimit = 8

    /// The top node; nil after a problem was logged.
    static func root(of text: String, log: ProblemLog) -> Node? {
        if let position = positionOfExcessAlias(in: text) {
            log.add(aliasMessage, path: "", at: position)
            return nil
        }
        // libyaml rejects a byte order mark when it is told the encoding.
        let text = text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
        // Yams keeps a pointer to the text, which is unsafe with the inline storage of a String below 16 bytes.
        let padded = text.utf8.count < 16 ? text + String(repeating: "\n", count: 16) : text
        do {
            // `basic` reads every scalar as text, and `utf8` keeps Yams from reading the environment.
            let parser = try Parser(yaml: padded, resolver: .basic, encoding: .utf8)
            let root = try parser.singleRoot()
            // The parser owns its nodes' anchors.
            return withExtendedLifetime(parser) { checked(root, log: log) }
        } catch let error as YamlError {
            let (message, position) = describe(error)
            log.add(message, path: "", at: position)
        } catch {
            log.add("this is not valid YAML", path: "", at: nil)
        }
        return nil
    }

    private static let aliasMessage = "YAML anchors and aliases (& and *) are not used here; write the value out"

    private static func checked(_ root: Node?, log: ProblemLog) -> Node? {
        guard let root, ScalarKind(of: root) != .null else {
            log.add(
                "the file is empty; it needs at least database, sender, links and relays",
                path: "",
                at: nil
            )
            return nil
        }
        if let anchored = firstAnchored(in: root) {
            log.add(aliasMessage, path: "", at: FilePosition(anchored.mark))
            return nil
        }
        return root
    }

    /// The first node with an anchor, which every alias needs. Never visits a node twice, because it stops at the first
    /// anchor.
    private static func firstAnchored(in node: Node) -> Node? {
        if node.anchor != nil { return node }
        switch node {
        case .scalar, .alias:
            break
        case .sequence(let sequence):
            for value in sequence {
                if let anchored = firstAnchored(in: value) { return anchored }
            }
        case .mapping(let mapping):
            for (key, value) in mapping {
                if let anchored = firstAnchored(in: key) ?? firstAnchored(in: value) { return anchored }
            }
        }
        return nil
    }

    /// The position of the first alias beyond the limit, in a text that also has an anchor. Counts every `*` or `&`
    /// before a word, also in comments and quotes, so it never counts fewer than there are aliases and anchors.
    private static func positionOfExcessAlias(in text: String) -> FilePosition? {
        var (aliases, anchors) = (0, 0)
        var excess: FilePosition?
        var (line, column) = (1, 0)
        var previous: UnicodeScalar = "\n"
        for scalar in text.unicodeScalars {
            column += 1
            if scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_" || scalar == "-"
            {
                if previous == "&" { anchors += 1 }
                if previous == "*" { aliases += 1 }
                if aliases > aliasLimit, excess == nil { excess = FilePosition(line: line, column: column - 1) }
            } else if scalar == "\n" {
                (line, column) = (line + 1, 0)
            }
            previous = scalar
        }
        return anchors > 0 ? excess : nil
    }

    /// The problem and its position. The line itself is never quoted, because it could contain a password.
    private static func describe(_ error: YamlError) -> (message: String, position: FilePosition?) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _):
            let parts = [problem, context?.text].compactMap(\.self).joined(separator: " ")
            return (
                "this is not valid YAML: \(parts); check the indentation and the quotes here and just above",
                FilePosition(mark)
            )
        case .composer(_, let problem, let mark, _) where problem.contains("another document"):
            return ("a second YAML document begins here; keep only one in the file", FilePosition(mark))
        case .composer(_, let problem, let mark, _):
            return ("this is not valid YAML: \(problem)", FilePosition(mark))
        case .reader(let problem, _, _, _):
            return ("this is not valid YAML: \(problem); remove what is not text", nil)
        case .duplicatedKeysInMapping(let keys, let context):
            // A password that was written as a key is not shown.
            let named = keys.filter { $0.wholeMatch(of: /[a-z_\-]{1,64}/) != nil }.map { "\"\($0)\"" }
            let subject = named.isEmpty ? "the key here" : named.joined(separator: ", ")
            return (
                "\(subject): given more than once in the same mapping, here first; keep one", FilePosition(context.mark)
            )
        default:
            return ("this is not valid YAML", nil)
        }
    }
}
