// Logs what became of the requests for relays' access tokens. Never a token.

import Logging
import OutboxCore
import SMTPTransport

extension DeliveryLog {
    func tokenGranted(_ relay: DeliveryRelay, afterFailures failures: Int, isRotated: Bool) {
        if isRotated {
            logger.warning(
                """
                the token server replaced the refresh token; outboxd uses the new one until it stops: store a new one \
                before the stored one ends
                """,
                [.relay: "\(relay.name)", .setting: "\(relay.setting): oauth"]
            )
        }
        logger.log(
            level: failures == 0 ? .debug : .notice,
            "the token server granted an access token",
            [.relay: "\(relay.name)", .failures: "\(failures)"]
        )
    }

    /// Logs the first failure in a row, and each change between a refusal and a server that can't be reached; messages
    /// show the others.
    func tokenNotGranted(
        _ relay: DeliveryRelay,
        _ words: String,
        isRefused: Bool,
        failures: Int,
        isNews: Bool
    ) {
        let reason = isRefused ? FailureReason.tokenRefused : .tokenUnavailable
        var metadata: LogValues = [
            .relay: "\(relay.name)", .reason: "\(reason.rawValue)", .detail: "\(words)", .failures: "\(failures)",
        ]
        guard isNews else {
            return logger.debug("the token server still grants no access token", metadata)
        }
        guard isRefused else {
            return logger.warning("no access token for the relay yet; outboxd asks again", metadata)
        }
        let trouble = RelayTrouble(fault: .configuration, reason: reason, stage: .auth, detail: words, reply: nil)
        metadata.describe(toMend: trouble, relay)
        logger.error("the token server refuses an access token: mend the configuration", metadata)
    }
}
