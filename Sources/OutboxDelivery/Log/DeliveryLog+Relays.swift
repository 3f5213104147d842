// Logs that relays are paused, suspected or up again, and how many connections they accept. Decides nothing (see
// PauseLog).

import InternetMessage
import Logging
import OutboxCore
import SMTPTransport

extension DeliveryLog {
    /// Logs a relay's failure once and its recovery once, except for pauses that recur often (see PauseLog). Known
    /// facts are logged at debug level.
    func relayChanged(_ relay: DeliveryRelay, _ change: RelayHealth.Change) {
        let name = relay.name
        var metadata: LogValues = [.relay: "\(name)"]
        switch change {
        case .none:
            break
        case .wentDown(let trouble):
            guard let unsaid = pauses.begins(name, trouble, now: uptime()) else {
                metadata.describe(trouble)
                return logger.debug("relay is paused once more", metadata)
            }
            sayPaused(relay, trouble, unsaid: unsaid)
        case .becameSuspect(let trouble):
            guard let unsaid = pauses.begins(name, trouble, isSuspicion: true, now: uptime()) else {
                metadata.describe(trouble)
                return logger.debug("relay is suspected once more", metadata)
            }
            saySuspected(relay, trouble, unsaid: unsaid)
        case .stillDown(let trouble):
            if let (began, unsaid) = pauses.lasts(name, now: uptime()) {
                return began.isSuspicion
                    ? saySuspected(relay, began.trouble, unsaid: unsaid)
                    : sayPaused(relay, began.trouble, unsaid: unsaid)
            }
            metadata.describe(trouble)
            logger.debug("relay is still down", metadata)
        case .cameBack(let after):
            metadata[.after] = "\(after.inMilliseconds)ms"
            let isSaid = pauses.ends(name, now: uptime())
            logger.log(level: isSaid ? .notice : .debug, "relay is back", metadata)
        }
    }

    private func sayPaused(_ relay: DeliveryRelay, _ trouble: RelayTrouble, unsaid: Int) {
        var metadata = metadata(relay, trouble, unsaid: unsaid)
        if trouble.fault == .configuration {
            metadata.describe(toMend: trouble, relay)
            logger.error("relay is paused: mend the configuration; no message is lost", metadata)
        } else {
            logger.warning("relay is paused, and probed until it works again", metadata)
        }
    }

    private func saySuspected(_ relay: DeliveryRelay, _ trouble: RelayTrouble, unsaid: Int) {
        var metadata = metadata(relay, trouble, unsaid: unsaid)
        if trouble.fault == .configuration { metadata.describe(toMend: trouble, relay) }
        if trouble.reason == .quotaExceeded || trouble.reason == .rateLimited {
            return logger.warning(
                "relay is suspected: it states a quota or rate for one recipient, perhaps for us; no attempt counts",
                metadata
            )
        }
        let doing =
            if trouble.reason == .refusesEverybody {
                "it refuses everybody; its refusals are provisional, and no address is suppressed"
            } else if trouble.reason.isAboutUs {
                "it refused a message because of us, and may refuse others; no attempt counts"
            } else {
                "it fails every message; no attempt counts"
            }
        logger.error("relay is suspected: \(doing)", metadata)
    }

    private func metadata(_ relay: DeliveryRelay, _ trouble: RelayTrouble, unsaid: Int) -> LogValues {
        var metadata: LogValues = [.relay: "\(relay.name)"]
        metadata.describe(trouble)
        if unsaid > 0 { metadata[.pausesMeanwhile] = "\(unsaid)" }
        return metadata
    }

    /// Logs that a relay's certificate ends soon and has not been replaced.
    func certificateEnds(_ relay: DeliveryRelay, _ tls: TLSSession, now: Timestamp) {
        var metadata: LogValues = [.relay: "\(relay.name)"]
        if let name = tls.certificateName { metadata[.certificateName] = "\(name)" }
        if let end = tls.certificateExpiresAt {
            metadata[.certificateExpiresAt] = "\(end.rfc3339)"
        }
        logger.warning("the relay's certificate ends soon; no mail goes there after its end", metadata)
    }

    /// Logs that a relay offers DSN but refuses its parameters: at most once for each lane. Without the relay's words,
    /// which may quote the recipient's address.
    func reportsRefused(_ relay: DeliveryRelay, _ failure: TransmissionFailure) {
        var metadata: LogValues = [
            .relay: "\(relay.name)", .stage: "\(failure.stage.rawValue)", .setting: "\(relay.setting): dsn",
        ]
        if let reply = failure.reply {
            metadata[.replyCode] = "\(reply.code)"
            if let status = reply.enhancedStatus { metadata[.enhancedStatus] = "\(status)" }
        }
        logger.notice(
            "relay offers reports (DSN) but refuses to be asked for them; mails go without (dsn: none saves the attempt)",
            metadata
        )
    }

    /// Logs that a relay refused connections while it accepted messages over others.
    func connectionLimitLearned(_ relay: DeliveryRelay, connections: Int) {
        logger.notice(
            "relay takes fewer connections than configured; outboxd uses as many as it takes",
            [
                .relay: "\(relay.name)", .connections: "\(connections)",
                .setting: "\(relay.setting): connections",
            ]
        )
    }
}
