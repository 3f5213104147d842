// What a kind allows in one of the row's variables: length, lines, links. Reads sample.json; never a row.

import Foundation
import InternetMessage
import MailTemplates

/// The rule of `sample.json` for one variable.
struct VariableRule: Sendable {
    /// The value for the check at start and for previews.
    let sample: JSONValue
    let text: StrangersText
    /// The hosts that the value may lead to, in lower case; `nil` for a variable that is no link.
    let hosts: Set<String>?

    /// For a variable without a rule of its own.
    static let usual = VariableRule(sample: .null, text: StrangersText(), hosts: nil)

    /// Reads the content of `sample.json`: `{"variables": {"name": {"sample": "Jane"}}}`.
    ///
    /// - Returns: the rules, and the problems of the file.
    static func rules(of content: [String: JSONValue]) -> (rules: [String: VariableRule], problems: [String]) {
        guard content.isEmpty || content.count == 1,
            case .object(let variables)? = content["variables"] ?? .object([:]),
            content.isEmpty || content["variables"] != nil
        else {
            return (
                [:],
                [
                    "has another form than {\"variables\": {\"name\": {\"sample\": \"Jane\", \"limit\": 80}}}: put each variable "
                        + "into \"variables\", with its value as \"sample\""
                ]
            )
        }
        var rules: [String: VariableRule] = [:]
        var problems: [String] = []
        for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
            do throws(Problem) {
                rules[name] = try rule(value)
            } catch {
                problems.append("\(name.printable): \(error.reason)")
            }
        }
        return (rules, problems)
    }

    private struct Problem: Error {
        let reason: String
    }

    private static func rule(_ value: JSONValue) throws(Problem) -> VariableRule {
        guard case .object(let members) = value, let sample = members["sample"] else {
            throw Problem(reason: "write {\"sample\": the value}, and beside it \"limit\", \"lines\" or \"link\"")
        }
        let known: Set = ["sample", "limit", "lines", "link"]
        if let unknown = members.keys.sorted().first(where: { !known.contains($0) }) {
            throw Problem(reason: "'\(unknown.printable)' is not known: there are sample, limit, lines and link")
        }
        var limit = StrangersText.usualLimit
        if let given = members["limit"] {
            guard case .number(let digits) = given, let number = Int(digits), (1...10_000).contains(number) else {
                throw Problem(reason: "limit must be a whole number from 1 to 10000")
            }
            limit = number
        }
        var allowsLines = false
        if let given = members["lines"] {
            guard case .bool(let isAllowed) = given else { throw Problem(reason: "lines must be true or false") }
            allowsLines = isAllowed
        }
        var hosts: Set<String>?
        if let given = members["link"] {
            guard case .array(let elements) = given, !elements.isEmpty else {
                throw Problem(
                    reason: "link must be a list of the hosts that the link may lead to, such as [\"example.com\"]"
                )
            }
            hosts = []
            for element in elements {
                guard case .string(let host) = element, host.wholeMatch(of: /[a-z0-9.\-]+/) != nil else {
                    throw Problem(reason: "link must be a list of host names in lower case, such as [\"example.com\"]")
                }
                hosts?.insert(host)
            }
        }
        let text = StrangersText(limit: limit, allowsLines: allowsLines)
        return VariableRule(sample: sample, text: text, hosts: hosts)
    }

    /// The value for a mail; `nil` for a link that may not be shown.
    func shown(_ value: JSONValue, inRightToLeft: Bool, wasChanged: inout Bool) -> JSONValue? {
        switch value {
        case .null, .bool:
            return value
        case .number(let digits):
            let shown = text.cleaned(digits)
            if shown != digits { wasChanged = true }
            return .number(shown)
        case .string(let string):
            if let hosts {
                if Self.leads(string, to: hosts) { return value }
                wasChanged = true
                return nil
            }
            let cleaned = text.cleaned(string)
            if cleaned.utf8.count != string.utf8.count || cleaned != string { wasChanged = true }
            return .string(Isolation.isolated(cleaned, inRightToLeft: inRightToLeft))
        case .array(let elements):
            return .array(
                elements.compactMap { shown($0, inRightToLeft: inRightToLeft, wasChanged: &wasChanged) }
            )
        case .object(let members):
            return .object(
                members.compactMapValues { shown($0, inRightToLeft: inRightToLeft, wasChanged: &wasChanged) }
            )
        }
    }

    /// Whether the text is an https URL of one of the hosts, in characters that mean nothing in HTML.
    private static func leads(_ text: String, to hosts: Set<String>) -> Bool {
        guard text.utf8.count <= 2000,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"\"'<>\\^`{|}".utf8.contains($0) }),
            let url = URLComponents(string: text, encodingInvalidCharacters: false), url.scheme == "https",
            let host = url.host?.lowercased(), url.user == nil, url.password == nil, url.port == nil
        else { return false }
        return hosts.contains(host)
    }
}

/// The rules of a kind for the variables of a row.
struct VariableRules: Sendable {
    private let rules: [String: VariableRule]

    init(_ rules: [String: VariableRule]) { self.rules = rules }

    /// The values for the check at start and for previews.
    var samples: [String: JSONValue] { rules.mapValues(\.sample) }

    /// The names of the variables that hold links.
    var links: Set<String> { Set(rules.filter { $0.value.hosts != nil }.keys) }

    /// The values that templates may show.
    ///
    /// - Parameter names: the names that the templates ask for; other variables are left out.
    /// - Returns: the values, and the names of those that were changed.
    func shown(
        _ variables: [String: JSONValue],
        names: Set<String>,
        inRightToLeft: Bool
    ) -> (values: [String: JSONValue], changed: [String]) {
        var values: [String: JSONValue] = [:]
        var changed: [String] = []
        for (name, value) in variables where names.contains(name) {
            var wasChanged = false
            values[name] = (rules[name] ?? .usual).shown(value, inRightToLeft: inRightToLeft, wasChanged: &wasChanged)
            if wasChanged { changed.append(name) }
        }
        return (values, changed.sorted())
    }
}
