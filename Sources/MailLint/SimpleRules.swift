// The rules of style sheets, found quickly for an element. Never reads CSS itself.

/// A rule of a style sheet for one selector.
struct SimpleRule {
    typealias Compound = (name: String?, classes: Set<String>)

    /// The selector's parts, the element itself last: a name and classes each.
    fileprivate let compounds: [Compound]
    let declarations: [Declaration]
    /// Selectors 3, §9: classes count more than names.
    fileprivate let specificity: Int

    /// - Returns: `nil` for a selector with more than names, classes and descent: such a rule is for one program, or
    ///   for a state such as `:hover`.
    fileprivate init?(selector: some StringProtocol, _ declarations: [Declaration]) {
        var compounds: [Compound] = []
        for part in selector.split(whereSeparator: \.isWhitespace) {
            guard part.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }) else { return nil }
            let pieces = part.split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
            compounds.append((pieces[0].isEmpty ? nil : pieces[0].lowercased(), Set(pieces.dropFirst())))
        }
        guard !compounds.isEmpty else { return nil }
        self.compounds = compounds
        self.declarations = declarations
        specificity = compounds.reduce(0) { $0 + 1000 * $1.classes.count + ($1.name == nil ? 0 : 1) }
    }

    fileprivate func selects(_ tag: HTMLTag, in around: [StyledElement], _ budget: inout WorkBudget) -> Bool {
        budget.spend(1)
        guard Self.fits(compounds[compounds.count - 1], tag) else { return false }
        var rest = compounds.dropLast()
        if !rest.isEmpty { budget.spend(around.count) }
        for element in around.reversed() {
            guard let compound = rest.last else { break }
            if Self.fits(compound, element.tag) { rest.removeLast() }
        }
        return rest.isEmpty
    }

    private static func fits(_ compound: Compound, _ tag: HTMLTag) -> Bool {
        (compound.name == nil || compound.name == tag.name) && compound.classes.isSubset(of: tag.classes)
    }
}

/// The rules of all style sheets of a page, for one choice of colours.
struct SimpleRules {
    private var byClass: [String: [Int]] = [:]
    private var byName: [String: [Int]] = [:]
    private var rules: [SimpleRule] = []
    /// Whether a media query for dark colours has rules.
    private(set) var hasDarkRules = false

    /// A mail has some dozens of rules; further ones are not read.
    private static let mostRules = 1000
    /// An element has some dozens of declarations; further ones are not read.
    private static let mostDeclarations = 2000

    /// - Parameter isDark: whether the rules for dark colours apply, too.
    init(_ sheets: [StyleSheet], isDark: Bool) {
        for sheet in sheets { add(sheet.rules, isDark: isDark) }
        // The sort is stable: of two rules that count the same, the later one wins.
        rules = rules.enumerated().sorted { ($0.element.specificity, $0.offset) < ($1.element.specificity, $1.offset) }
            .map(\.element)
        for (index, rule) in rules.enumerated() {
            let last = rule.compounds[rule.compounds.count - 1]
            if let name = last.classes.first {
                byClass[name, default: []].append(index)
            } else {
                byName[last.name ?? "", default: []].append(index)
            }
        }
    }

    private mutating func add(_ list: [StyleSheet.Rule], isDark: Bool, applies: Bool = true) {
        for rule in list {
            switch rule {
            case .style(let selectors, let declarations):
                guard applies else { continue }
                for selector in selectors.split(separator: ",") {
                    guard rules.count < Self.mostRules else { return }
                    if let rule = SimpleRule(selector: selector, declarations) { rules.append(rule) }
                }
            case .group(_, let inner):
                let query = ColorQuery(rule.prelude)
                if query == .dark { hasDarkRules = true }
                // Other media queries are for other widths and devices, but may have one for dark colours within.
                if query != .other { add(inner, isDark: isDark, applies: query == .dark && isDark) }
            case .block, .statement: break
            }
        }
    }

    /// The declarations for an element, a stronger one after a weaker one, as far as the budget reaches.
    func declarations(for tag: HTMLTag, in around: [StyledElement], _ budget: inout WorkBudget) -> [Declaration] {
        let candidates = (byName[tag.name] ?? []) + tag.classes.flatMap { byClass[$0] ?? [] }
        var declarations: [Declaration] = []
        for candidate in candidates.sorted() {
            guard rules[candidate].selects(tag, in: around, &budget) else { continue }
            budget.spend(rules[candidate].declarations.count)
            guard !budget.isSpent, declarations.count < Self.mostDeclarations else { break }
            declarations += rules[candidate].declarations.prefix(Self.mostDeclarations)
        }
        return declarations
    }
}

/// What the condition of a group of rules asks about colours.
private enum ColorQuery {
    case dark
    /// For light colours, or for all but dark ones.
    case other
    case none

    /// - Parameter prelude: in lower case, with single spaces.
    init(_ prelude: String) {
        guard prelude.contains("prefers-color-scheme") else {
            self = .none
            return
        }
        // Of a list of queries, one is enough. "not" turns the query, or its part, into the opposite.
        self =
            prelude.split(separator: ",").contains { query in
                query.contains("prefers-color-scheme:dark")
                    && !query.split(whereSeparator: { !$0.isLetter && $0 != "-" }).contains("not")
            } ? .dark : .other
    }
}
