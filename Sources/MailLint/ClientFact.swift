// What mail programs drop or ignore, each with its source. Never judges a mail.

/// A feature of HTML or CSS that some mail programs do not support.
struct ClientFact: Sendable {
    enum Feature: Sendable, Hashable {
        /// A property, with any value.
        case property(String)
        /// A property whose value has one of these texts in it.
        case value(String, [String])
        /// A property with a negative value.
        case negative(String)
        case element(String)
        /// An at-rule with this name, and with this text in its condition.
        case atRule(String, condition: String = "")
    }

    let feature: Feature
    let programs: Set<MailProgram>
    /// Parts of the property in which the value does no harm.
    var harmlessParts: Set<String> = []
    /// Elements on which the programs do support it.
    var worksOn: Set<String> = []
    /// Properties of the element, or inherited from one around it, that do the same in these programs.
    var properties: Set<String> = []
    /// Attributes of the element that do the same in these programs.
    var attributes: Set<String> = []
    /// Whether a table in a conditional comment for Word does the same.
    var isReplacedByTableForWord = false
    /// Whether the mail stays as readable and usable without it.
    var isDecoration = false
    /// What to do instead; of a decoration, what is seen without it.
    let remedy: String
    /// The name of the page at caniemail.com.
    let page: String
    /// When caniemail.com last tested it, as of 2026-06-29: year, month and day.
    let tested: String

    var source: String { "https://www.caniemail.com/features/\(page)/, \(tested)" }

    /// The programs' names, in a fixed order.
    var programNames: String {
        let names = MailProgram.allCases.filter(programs.contains).map(\.rawValue)
        return names.count > 1 ? "\(names.dropLast().joined(separator: ", ")) and \(names[names.count - 1])" : names[0]
    }

    /// Whether the fact is about this declaration on this element.
    func concerns(_ declaration: Declaration, on element: String) -> Bool {
        guard !worksOn.contains(element), !harmlessParts.contains(declaration.property), !declaration.isInitial else {
            return false
        }
        switch feature {
        case .property(let name): return Self.isProperty(declaration, name)
        case .value("*", let texts): return texts.contains(where: declaration.plainValue.contains)
        case .value(let name, let texts):
            return Self.isProperty(declaration, name) && texts.contains(where: declaration.plainValue.contains)
        case .negative(let name):
            return Self.isProperty(declaration, name)
                && declaration.plainValue.split(separator: " ").contains { part in
                    part.first == "-"
                        && part.dropFirst().prefix { $0.isNumber || $0 == "." }.contains { ("1"..."9").contains($0) }
                }
        case .element, .atRule: return false
        }
    }

    /// Whether the fact is about this at-rule.
    func concerns(atRule rule: StyleSheet.Rule) -> Bool { concerns(atRule: rule.prelude) }

    /// - Parameter prelude: the at-rule's name and condition (``StyleSheet/Rule/prelude``).
    func concerns(atRule prelude: String) -> Bool {
        guard case .atRule(let name, let condition) = feature else { return false }
        return prelude.prefix { $0 != " " && $0 != "(" } == name && (condition.isEmpty || prelude.contains(condition))
    }

    /// Whether it is the property, or a part of it, such as `padding-left` of `padding`.
    private static func isProperty(_ declaration: Declaration, _ name: String) -> Bool {
        guard declaration.property != name else { return true }
        if name == "border-radius" {
            return declaration.property.hasPrefix("border-") && declaration.property.hasSuffix("-radius")
        }
        return ["padding", "margin", "background"].contains(name) && declaration.property.hasPrefix("\(name)-")
    }
}

extension ClientFact {
    /// From caniemail.com's data, read on 2026-06-29.
    static let all: [ClientFact] = [
        ClientFact(
            feature: .property("padding"),
            programs: [.outlook],
            worksOn: ["td", "th"],
            remedy: "put it on a td",
            page: "css-padding",
            tested: "2019-07-25"
        ),
        ClientFact(
            feature: .property("max-width"),
            programs: [.outlook],
            attributes: ["width", "height"],
            isReplacedByTableForWord: true,
            remedy: "put a table with a width around it, within <!--[if mso]> … <![endif]-->",
            page: "css-max-width",
            tested: "2019-08-02"
        ),
        ClientFact(
            feature: .property("overflow-wrap"),
            programs: [.outlook, .outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            properties: ["word-wrap"],
            remedy: "add word-wrap: break-word",
            page: "css-overflow-wrap",
            tested: "2022-08-03"
        ),
        ClientFact(
            feature: .property("word-break"),
            programs: [.yahoo, .gmailOtherAccounts],
            properties: ["word-wrap"],
            remedy: "add word-wrap: break-word",
            page: "css-word-break",
            tested: "2022-02-15"
        ),
        ClientFact(
            feature: .property("text-wrap"),
            programs: [.outlook, .outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            isDecoration: true,
            remedy: "lines break elsewhere",
            page: "css-text-wrap",
            tested: "2024-04-03"
        ),
        ClientFact(
            feature: .value("display", ["flex"]),
            programs: [.outlook, .gmailOtherAccounts],
            remedy: "use a table",
            page: "css-display-flex",
            tested: "2021-11-02"
        ),
        ClientFact(
            feature: .value("display", ["grid"]),
            programs: [.outlook, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "use a table",
            page: "css-display-grid",
            tested: "2019-02-28"
        ),
        ClientFact(
            feature: .value("display", ["inline-flex"]),
            programs: [.yahoo],
            remedy: "use a table",
            page: "css-display-flex",
            tested: "2021-11-02"
        ),
        ClientFact(
            feature: .value("position", ["absolute", "fixed"]),
            programs: [.outlook, .outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "use a table",
            page: "css-position",
            tested: "2021-05-16"
        ),
        ClientFact(
            feature: .value("position", ["relative"]),
            programs: [.outlook, .outlookCom, .gmail, .gmailOtherAccounts],
            remedy: "use a table",
            page: "css-position",
            tested: "2021-05-16"
        ),
        ClientFact(
            feature: .value("position", ["sticky"]),
            programs: [.outlook, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "use a table",
            page: "css-position",
            tested: "2021-05-16"
        ),
        ClientFact(
            feature: .negative("margin"),
            programs: [.outlook, .outlookCom, .gmail, .gmailOtherAccounts],
            remedy: "make the other distance smaller instead",
            page: "css-margin",
            tested: "2019-10-01"
        ),
        ClientFact(
            feature: .value("margin", ["auto"]),
            programs: [.outlook],
            // There auto is zero.
            harmlessParts: ["margin-top", "margin-bottom"],
            attributes: ["align"],
            remedy: "add align=\"center\"",
            page: "css-margin",
            tested: "2019-10-01"
        ),
        ClientFact(
            feature: .value("background", ["url("]),
            programs: [.outlook],
            properties: ["background-color"],
            attributes: ["bgcolor"],
            remedy: "add a background-color",
            page: "css-background-image",
            tested: "2019-02-28"
        ),
        ClientFact(
            feature: .value("background", ["gradient("]),
            programs: [.outlook, .outlookCom, .yahoo],
            properties: ["background-color"],
            attributes: ["bgcolor"],
            remedy: "add a background-color",
            page: "css-linear-gradient",
            tested: "2021-12-29"
        ),
        ClientFact(
            feature: .value("*", ["var("]),
            programs: [.outlook, .outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "write the value itself",
            page: "css-variables",
            tested: "2020-02-25"
        ),
        ClientFact(
            feature: .property("border-radius"),
            programs: [.outlook],
            isDecoration: true,
            remedy: "corners are square",
            page: "css-border-radius",
            tested: "2021-03-09"
        ),
        ClientFact(
            feature: .property("box-shadow"),
            programs: [.outlook, .yahoo, .gmail],
            isDecoration: true,
            remedy: "no shadow is seen",
            page: "css-box-shadow",
            tested: "2023-12-20"
        ),
        ClientFact(
            feature: .atRule("@import"),
            programs: [.outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "write the rules into <style>",
            page: "css-at-import",
            tested: "2019-02-28"
        ),
        ClientFact(
            feature: .atRule("@font-face"),
            programs: [.outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            isDecoration: true,
            remedy: "the next font of the list is used",
            page: "css-at-font-face",
            tested: "2019-07-18"
        ),
        ClientFact(
            feature: .atRule("@media", condition: "prefers-color-scheme"),
            programs: [.outlook, .yahoo, .gmail, .gmailOtherAccounts],
            isDecoration: true,
            remedy: "these programs choose dark colours themselves",
            page: "css-at-media-prefers-color-scheme",
            tested: "2019-09-26"
        ),
        ClientFact(
            feature: .element("link"),
            programs: [.outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "write the rules into <style>",
            page: "html-link",
            tested: "2019-02-28"
        ),
        ClientFact(
            feature: .element("form"),
            programs: [.outlook],
            remedy: "link to a page with the form",
            page: "html-form",
            tested: "2019-09-10"
        ),
        ClientFact(
            feature: .element("video"),
            programs: [.outlook, .outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "link to a page with the video",
            page: "html-video",
            tested: "2019-09-16"
        ),
        ClientFact(
            feature: .element("svg"),
            programs: [.outlook, .outlookCom, .yahoo, .gmail, .gmailOtherAccounts],
            remedy: "use an img with a PNG",
            page: "html-svg",
            tested: "2020-02-06"
        ),
    ]
}
