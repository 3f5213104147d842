// What Mustache sees of a message's values, and where a missing one is noticed. Never renders a missing value as
// nothing.

import Mustache

/// A value, or the lack of one, that a tag has asked for.
///
/// The library renders a missing value as nothing. Here a lookup of an unknown name gives a value too: one that is null
/// to a section, so that `{{#name}}` stays the way to say "optional", and that records a fault when it is asked for its
/// text, which only `{{name}}` does. `Template` puts the line before the name of each variable tag (`12?name`), so a
/// lookup knows which tag it is for, and that no section is asking.
struct TemplateValue: MustacheParent, MustacheCustomRenderable {
    /// What a tag's name and its line are joined with; no name that `TemplateTag` lets pass has it.
    static let lineMark = UInt8(ascii: "?")

    private let value: JSONValue?
    private let path: String
    private let line: Int?
    private let isRoot: Bool
    private let rendering: Rendering

    /// The outermost object of a template.
    init(root values: [String: JSONValue], rendering: Rendering) {
        self.init(value: .object(values), path: "", line: nil, isRoot: true, rendering: rendering)
    }

    fileprivate init(value: JSONValue?, path: String, line: Int?, isRoot: Bool = false, rendering: Rendering) {
        self.value = value
        self.path = path
        self.line = line
        self.isRoot = isRoot
        self.rendering = rendering
    }

    func child(named tagName: String) -> Any? {
        var name = tagName
        var tagLine: Int?
        if let mark = tagName.utf8.firstIndex(of: Self.lineMark) {
            tagLine = Int(tagName[..<mark])
            name = String(tagName[tagName.utf8.index(after: mark)...])
        }
        let childPath = path.isEmpty ? name : "\(path).\(name)"
        if case .object(let members) = value, let member = members[name] {
            return Self.wrap(member, path: childPath, line: tagLine ?? line, rendering: rendering)
        }
        // The outermost object has the last word. So has the value before a dot in a variable tag: `line` is set, and
        // the name after the dot has no mark. Any other object lets the objects around it answer.
        guard isRoot || (line != nil && tagLine == nil) else { return nil }
        return TemplateValue(value: nil, path: childPath, line: tagLine ?? line, rendering: rendering)
    }

    /// The text of a variable tag: the only place where the library asks for it.
    var renderText: String {
        switch value {
        case .string(let string): rendering.escaped(string)
        case .number(let digits): digits
        case .bool(let bool): bool ? "true" : "false"
        case nil, .null: rendering.fail(.missing, name: path, line: line)
        case .array, .object: rendering.fail(.unprintable, name: path, line: line)
        }
    }

    /// Falsy to a section: `false`, `null` and what is missing. (An empty list is, too; the library sees to that.)
    var isNull: Bool {
        switch value {
        case nil, .null, .bool(false): true
        case .bool(true), .number, .string, .array, .object: false
        }
    }

    /// A list when a section asks for one, as only then the library goes through its elements.
    fileprivate static func wrap(_ value: JSONValue, path: String, line: Int?, rendering: Rendering) -> Any {
        if line == nil, case .array(let elements) = value {
            return TemplateList(elements: elements, path: path, rendering: rendering)
        }
        return TemplateValue(value: value, path: path, line: line, rendering: rendering)
    }
}

/// A JSON array that a section goes through.
private struct TemplateList: MustacheSequence, MustacheCustomRenderable {
    let elements: [JSONValue]
    let path: String
    let rendering: Rendering

    func makeIterator() -> AnyIterator<Any> {
        var elements = elements.makeIterator()
        return AnyIterator {
            elements.next().map { TemplateValue.wrap($0, path: path, line: nil, rendering: rendering) }
        }
    }

    /// `{{.}}` on a list within a list.
    var renderText: String { rendering.fail(.unprintable, name: path, line: nil) }
    var isNull: Bool { false }
}
