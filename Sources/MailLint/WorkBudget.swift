// A limit on the work for one mail, counted in steps: the same page always ends at the same place. Never looks at a clock.

/// The steps that are left. A step is one look at a rule, a declaration or an open element.
struct WorkBudget {
    /// More than twenty-five times the work for a shipped mail. It takes about a second.
    static let perMail = 2_000_000

    private(set) var left: Int

    init(_ steps: Int = perMail) { left = steps }

    var isSpent: Bool { left <= 0 }

    mutating func spend(_ steps: Int) { left -= steps }
}
