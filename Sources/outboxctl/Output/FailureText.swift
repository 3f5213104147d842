// Formats a failure for a terminal, with the place where an operator fixes it. Never judges it (see FailurePolicy).

enum FailureText {
    /// - Parameters:
    ///   - detail: the relay's words, libcurl's or ours.
    ///   - place: the place of the fix; `nil` where the operator has nothing to fix.
    ///   - step: the step that makes outboxd use the fix.
    static func lines(
        reason: String,
        stage: String?,
        fault: String?,
        detail: String?,
        lookAt place: String?,
        then step: String?
    ) -> [String] {
        let stage = stage.map { " (\($0))" } ?? ""
        var lines = ["   reason      \(reason)\(stage)\(fault.map { ", fault of the \($0)" } ?? "")"]
        if let detail { lines.append("   detail      \(detail)") }
        if let place { lines.append("   look at     \(place)\(step.map { "; then \($0)" } ?? "")") }
        return lines
    }
}
