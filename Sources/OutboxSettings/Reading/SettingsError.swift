// All mistakes in a configuration file, in file order, as the operator reads them.

/// The configuration cannot be used. The program prints `description` and does not start.
package struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The path of the file as given.
    package var file: String
    /// At least one problem, in file order.
    package var problems: [SettingsProblem]

    /// The file's name and a line for each problem.
    package var description: String {
        if let problem = problems.first, problems.count == 1, problem.path.isEmpty, problem.line == nil {
            return "\(file): \(problem.message)"
        }
        let title = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        return (["\(file) has \(title):"] + problems.map { "  \($0)" }).joined(separator: "\n")
    }
}
