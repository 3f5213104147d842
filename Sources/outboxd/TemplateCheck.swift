// Warns of mails that common mail programs don't show as meant, beside delivery. Never delays or refuses a mail.

import Logging
import MailComposer
import MailLint
import OutboxDelivery
import OutboxSettings
import ServiceLifecycle

/// Checks templates of the operator's own after start and after each reload.
///
/// The shipped templates have no finding (`ShippedTemplateLintTests`), so they are not checked each time.
struct TemplateCheck: Service, CustomStringConvertible {
    /// The composers to check; a newer one replaces one that still waits.
    private let composers: AsyncStream<MailComposer>
    private let continuation: AsyncStream<MailComposer>.Continuation
    private let logger: Logger

    /// How many findings the log names. All are in the output of `outboxctl lint-templates`.
    private static let mostLines = 10

    /// The service's name in the log.
    var description: String { "template check" }

    init(logger: Logger) {
        (composers, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.logger = logger
    }

    /// Has the templates of a configuration checked, if they are the operator's own.
    func check(_ loaded: LoadedConfiguration) {
        if loaded.settings.templates != nil { continuation.yield(loaded.delivery.composer) }
    }

    func run() async {
        for await composer in composers.cancelOnGracefulShutdown() { warn(of: composer) }
    }

    private func warn(of composer: MailComposer) {
        // An error would already have ended the start.
        let findings = ((try? composer.lint()) ?? []).filter { $0.severity == .warning }
        for finding in findings.prefix(Self.mostLines) {
            logger.warning("template warning: \(finding.message) (\(finding.shownPlaces))")
        }
        if findings.count > Self.mostLines {
            logger.warning(
                "\(findings.count - Self.mostLines) more template warnings: outboxctl lint-templates shows all"
            )
        }
    }
}
