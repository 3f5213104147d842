// Fetches every relay's access token before a lane needs it. Never sends a mail, never pauses a relay.

import OutboxCore
import SMTPTransport
import Synchronization

/// The tasks that keep the relays' access tokens fresh, one for each relay that needs tokens.
///
/// A lane without a token fetches one itself, so these tasks only save a person that wait. They also show an operator
/// a refused secret before a message needs it, and keep a refresh token in use, which some providers require.
final class TokenKeeping: Sendable {
    /// The shortest time between two requests, also for tokens that end sooner: lanes then fetch their own.
    static let shortestInterval = Duration.seconds(30)
    /// The longest time between two requests while the token server fails.
    static let longestPause = Duration.seconds(600)

    private let environment: DeliveryEnvironment
    private let log: DeliveryLog
    private let keepers = Mutex<[(tokens: AccessTokens, refresher: TokenRefresher, task: Task<Void, Never>)]>([])

    init(environment: DeliveryEnvironment, log: DeliveryLog) {
        self.environment = environment
        self.log = log
    }

    /// Keeps these relays' tokens from now on, and no others.
    func keep(_ relays: [DeliveryRelay]) {
        let started = relays.compactMap { relay -> (AccessTokens, TokenRefresher, Task<Void, Never>)? in
            guard let tokens = relay.smtp.credentials?.tokens else { return nil }
            let refresher = TokenRefresher(tokens, within: relay.configuration.connectTimeout)
            return (tokens, refresher, Task { await keep(relay, refresher) })
        }
        let former = keepers.withLock { keepers in
            defer { keepers = started.map { (tokens: $0.0, refresher: $0.1, task: $0.2) } }
            return keepers
        }
        for (tokens, refresher, task) in former {
            task.cancel()
            // The answer to a request under way may hold a new refresh token, and the server takes the old one only once.
            if !started.contains(where: { $0.0 === tokens }) { refresher.abort() }
        }
    }

    private func keep(_ relay: DeliveryRelay, _ refresher: TokenRefresher) async {
        var failures = 0
        var wasRefused = false
        while !Task.isCancelled {
            switch await refresher.refresh() {
            case .notDue:
                // A lane may have fetched one meanwhile.
                if failures > 0, refresher.untilRefresh > .zero {
                    log.tokenGranted(relay, afterFailures: failures, isRotated: false)
                    failures = 0
                }
            case .granted(let isRotated):
                log.tokenGranted(relay, afterFailures: failures, isRotated: isRotated)
                failures = 0
            case .failed(let words, let isRefused):
                failures += 1
                let isNews = failures == 1 || isRefused != wasRefused
                wasRefused = isRefused
                log.tokenNotGranted(relay, words, isRefused: isRefused, failures: failures, isNews: isNews)
            case .interrupted:
                return
            }
            let pause =
                failures == 0
                ? max(refresher.untilRefresh, Self.shortestInterval)
                : min(Self.shortestInterval * (1 << min(failures - 1, 5)), Self.longestPause)
            do { try await environment.sleep(pause) } catch { return }
        }
    }
}
