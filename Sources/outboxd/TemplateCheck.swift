// Warns of mails that common mail programs don't show as meant, beside delivery. Never delays or refuses a mail, and
// never delays the service's end.

import Dispatch
import Logging
import MailComposer
import MailLint
import OutboxDelivery
import OutboxSettings

/// Checks templates of the operator's own after start and after each reload.
///
/// The shipped templates have no warning (`ShippedTemplateLintTests`), so they are not checked each time.
struct TemplateCheck: Sendable {
    private let logger: Logger
    /// A thread beside those of the tasks: a check of many large mails takes seconds, in which no task of theirs may wait.
    private let queue = DispatchQueue(label: "template-check", qos: .background)

    /// How many findings the log names. All are in the output of `outboxctl lint-templates`.
    private static let mostLines = 10

    init(logger: Logger) { self.logger = logger }

    /// Has the templates of a configuration checked, if they are the operator's own. Does not wait for the result.
    func check(_ loaded: LoadedConfiguration) {
        guard loaded.settings.templates != nil else { return }
        let composer = loaded.delivery.composer
        queue.async { [self] in warn(of: composer) }
    }

    private func warn(of composer: MailComposer) {
        // An error would already have ended the start.
        let findings = ((try? composer.lint()) ?? []).filter { $0.severity == .warning }
        for finding in findings.prefix(Self.mostLines) {
            logger.warning(
                "some mail programs don't show a mail as meant",
                metadata: [
                    "detail": "\(finding.message)", "kind": "\(finding.places[0].kind)",
                    "locale": "\(finding.places[0].locale)",
                ]
            )
        }
        if findings.count > Self.mostLines {
            logger.warning(
                "more template warnings: outboxctl lint-templates shows all",
                metadata: ["count": "\(findings.count - Self.mostLines)"]
            )
        }
    }
}
