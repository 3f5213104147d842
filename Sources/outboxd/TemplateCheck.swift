// Warns of mails that common mail programs don't show as meant, beside delivery. Never delays or refuses a mail, and
// never delays the service's end.

import Dispatch
import InternetMessage
import Logging
import MailComposer
import MailLint
import OutboxCore
import OutboxDelivery
import OutboxSettings
import Synchronization

/// Checks templates of the operator's own after start and after each reload.
///
/// The shipped templates have no warning (`ShippedTemplateLintTests`), so they are not checked each time.
final class TemplateCheck: Sendable {
    private struct Warning: Hashable {
        let detail: String
        let kind: String
        let locale: String
    }

    private struct State {
        /// The number of checks that were asked for.
        var checks = 0
        /// The warnings of the last check that came to its end.
        var known: Set<Warning> = []
    }

    private let logger: Logger
    /// A thread beside those of the tasks: a check of many large mails takes seconds, in which no task of theirs may wait.
    private let queue = DispatchQueue(label: "template-check", qos: .background)
    private let state = Mutex(State())

    /// How many findings the log names. All are in the output of `outboxctl lint-templates`.
    private static let mostLines = 10

    init(logger: Logger) { self.logger = logger }

    /// Has the templates of a configuration checked, if they are the operator's own. Does not wait for the result. An
    /// earlier check ends: its templates are used no longer.
    func check(_ loaded: LoadedConfiguration) {
        let number = state.withLock { state in
            state.checks += 1
            if loaded.settings.templates == nil { state.known = [] }
            return state.checks
        }
        guard loaded.settings.templates != nil else { return }
        let composer = loaded.delivery.composer
        queue.async { [self] in warn(of: composer, check: number) }
    }

    private func warn(of composer: MailComposer, check number: Int) {
        let isNewest = { [self] in state.withLock { $0.checks == number } }
        // An error would already have ended the start.
        let findings = ((try? composer.lint(while: isNewest)) ?? []).filter { $0.severity == .warning }
        var seen: Set<Warning> = []
        let warnings = findings.map { finding in
            // A link's path may be a value, and is no business of a log's readers.
            Warning(
                detail: finding.message.cuttingWebAddresses,
                kind: finding.places[0].kind,
                locale: finding.places[0].locale
            )
        }.filter { seen.insert($0).inserted }
        // Most reloads are about something else: a warning that was logged is not logged again.
        let new = state.withLock { state -> [Warning] in
            guard state.checks == number else { return [] }
            defer { state.known = seen }
            return warnings.filter { !state.known.contains($0) }
        }
        for warning in new.prefix(Self.mostLines) {
            logger.warning(
                "some mail programs don't show a mail as meant",
                metadata: ["detail": "\(warning.detail)", "kind": "\(warning.kind)", "locale": "\(warning.locale)"]
            )
        }
        if new.count > Self.mostLines {
            logger.warning(
                "more template warnings: outboxctl lint-templates shows all",
                metadata: ["count": "\(new.count - Self.mostLines)"]
            )
        }
    }
}
