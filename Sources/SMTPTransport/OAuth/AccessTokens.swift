// Keeps one relay's access token, in memory only, and fetches a new one in time. Never says what follows from a failure
// (see FailurePolicy).

import Foundation
import OutboxCore

/// The access tokens for a relay's AUTH, shared by its lanes.
///
/// A token is fetched before its end by ``refresh(within:)``, so that a lane normally finds one. A lane that finds none
/// fetches it itself, within a time limit. Only one request is under way at a time, because a server may permit only one
/// use of a refresh token; the other lanes wait for its result.
package final class AccessTokens: @unchecked Sendable {
    /// A token for one login. No description shows it.
    struct Token: CustomStringConvertible, CustomReflectable {
        let value: String
        /// The server granted it just now, so that another request would bring no better one.
        let isNew: Bool

        var description: String { "<token>" }
        var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
    }

    /// How long before its end a token is replaced, and before that no longer used; both less for a short lifetime.
    private static let refreshMargin = Duration.seconds(300)
    private static let useMargin = Duration.seconds(30)
    /// A younger token that a relay refuses is not replaced.
    private static let newFor = Duration.seconds(60)
    /// How often a waiting lane looks whether it must end.
    private static let lookInterval = 0.05
    /// How many access tokens, and how many refresh tokens, are masked in others' words.
    private static let maskedTokens = 3

    private struct Held {
        let value: String
        let grantedAt: Duration
        let usableUntil: Duration
        let refreshAt: Duration
    }

    private struct State {
        var held: Held?
        var refreshToken: String?
        var isFetching = false
        /// The number of completed requests, and the last one's failure.
        var requests = 0
        var failure: TokenFailure?
        /// The newest ones, oldest first: a connection may have been opened with an earlier one.
        var accessTokens: [String] = []
        /// The newest ones that the server gave, oldest first: it may quote one that is used up.
        var refreshTokens: [String] = []
        var mask: SecretMask
        var hasAnnouncedRotation = false
    }

    /// Our registration at the token server.
    package let client: OAuthClient

    private let now: @Sendable () -> Duration
    private let condition = NSCondition()
    /// Only used while `condition` is locked.
    private var state: State

    /// Creates a keeper without a token.
    ///
    /// - Parameter now: a clock that can't be set.
    package init(_ client: OAuthClient, now: (@Sendable () -> Duration)? = nil) {
        self.client = client
        let start = ContinuousClock.now
        self.now = now ?? { start.duration(to: .now) }
        let secrets = [client.clientSecret, client.refreshToken].compactMap(\.self)
        state = State(refreshToken: client.refreshToken, mask: SecretMask(secrets))
    }

    /// Removes the client's secrets and the last tokens from others' words.
    var mask: SecretMask { condition.withLock { state.mask } }

    // MARK: For a lane

    /// The token for a login. Blocks while it has to be fetched, at most for the time limit.
    ///
    /// - Parameter refused: a token that the relay has refused; another one is returned.
    func token(
        within limit: Duration,
        _ interruption: Interruption,
        insteadOf refused: String? = nil
    ) -> Result<Token, TokenFailure> {
        let deadline = ContinuousClock.now + limit
        condition.lock()
        defer { condition.unlock() }
        if let refused, state.held?.value == refused { state.held = nil }
        let before = state.requests
        while true {
            // A token that ends at once is still good for the login that it was fetched for.
            if let held = state.held, now() < held.usableUntil || state.requests > before && state.failure == nil {
                return .success(Token(value: held.value, isNew: now() - held.grantedAt < Self.newFor))
            }
            if state.requests > before, let failure = state.failure { return .failure(failure) }
            if interruption.isAborted { return .failure(.interrupted) }
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return .failure(.tooLate) }
            if state.isFetching {
                _ = condition.wait(until: Date(timeIntervalSinceNow: Self.lookInterval))
            } else if let failure = fetch(within: left, interruption) {
                return .failure(failure)
            }
        }
    }

    // MARK: Before a lane needs it

    /// What a refresh did.
    package enum Refresh {
        /// Nothing was due, or another request is under way.
        case notDue
        case granted(isRotated: Bool)
        /// The words are masked. A held token stays in use until its end.
        case failed(words: String, isRefused: Bool)
        /// Our side ended the request.
        case interrupted
    }

    /// Fetches a token if there is none, or the one held ends soon. Blocks, at most for the time limit.
    func refresh(within limit: Duration, _ interruption: Interruption) -> Refresh {
        condition.lock()
        defer { condition.unlock() }
        if state.isFetching { return .notDue }
        if let held = state.held, now() < held.refreshAt { return .notDue }
        guard let failure = fetch(within: limit, interruption) else {
            defer { state.hasAnnouncedRotation = state.hasAnnouncedRotation || isRotated }
            return .granted(isRotated: isRotated && !state.hasAnnouncedRotation)
        }
        switch failure.kind {
        case .interrupted: return .interrupted
        case .refused: return .failed(words: failure.words, isRefused: true)
        case .unavailable: return .failed(words: failure.words, isRefused: false)
        }
    }

    /// How long until the token should be replaced; zero where there is none.
    var untilRefresh: Duration {
        condition.withLock { state.held.map { max($0.refreshAt - now(), .zero) } ?? .zero }
    }

    // MARK: Fetching

    private var isRotated: Bool { state.refreshToken != client.refreshToken }

    /// Call with `condition` locked; it is unlocked during the request.
    private func fetch(within limit: Duration, _ interruption: Interruption) -> TokenFailure? {
        state.isFetching = true
        let refreshToken = state.refreshToken
        condition.unlock()
        // The lifetime began at the server before its answer arrived here.
        let asked = now()
        let request = TokenRequest(client, form: client.form(refreshToken: refreshToken), within: limit)
        let result: Result<TokenGrant, TokenFailure>
        if interruption.begins(request.sockets) {
            result = request.perform()
            interruption.hasOpened()
        } else {
            result = .failure(.interrupted)
        }
        condition.lock()
        defer {
            state.isFetching = false
            condition.broadcast()
        }
        switch result {
        case .success(let grant):
            take(grant, askedAt: asked)
            return nil
        case .failure(let failure):
            let masked = TokenFailure(kind: failure.kind, words: state.mask.masked(failure.words))
            // The shutdown of one lane doesn't concern the others.
            guard failure.kind != .interrupted else { return masked }
            state.requests += 1
            state.failure = masked
            return masked
        }
    }

    private func take(_ grant: TokenGrant, askedAt asked: Duration) {
        let end = asked + grant.lifetime
        state.held = Held(
            value: grant.accessToken,
            grantedAt: now(),
            usableUntil: end - min(Self.useMargin, grant.lifetime / 10),
            refreshAt: end - min(Self.refreshMargin, grant.lifetime / 4)
        )
        if let refreshToken = grant.refreshToken, client.refreshToken != nil { state.refreshToken = refreshToken }
        state.requests += 1
        state.failure = nil
        Self.remember(grant.accessToken, in: &state.accessTokens)
        if let refreshToken = grant.refreshToken { Self.remember(refreshToken, in: &state.refreshTokens) }
        let own = [client.clientSecret, client.refreshToken].compactMap(\.self)
        state.mask = SecretMask(Set(state.accessTokens + state.refreshTokens + own).sorted())
    }

    private static func remember(_ token: String, in newest: inout [String]) {
        newest.removeAll { $0 == token }
        newest = newest.suffix(maskedTokens - 1) + [token]
    }
}

extension TokenFailure {
    static let interrupted = TokenFailure(kind: .interrupted, words: "not sent because of the shutdown of outboxd")

    fileprivate static let tooLate = TokenFailure(
        kind: .unavailable,
        words: "the token server has not answered within the time limit"
    )

    /// The failure of an attempt that needed the token.
    var transmissionFailure: TransmissionFailure {
        let cause: TransmissionCause =
            switch kind {
            case .refused: .tokenRefused
            case .unavailable: .tokenUnavailable
            case .interrupted: .interrupted
            }
        return TransmissionFailure(stage: .auth, cause: cause, detail: words)
    }
}

/// Refreshes a relay's token on a thread of its own, because a request blocks.
package actor TokenRefresher {
    private let thread = LaneThread(name: "token")
    private let interruption = Interruption()
    private let tokens: AccessTokens
    private let limit: Duration

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// - Parameter limit: the time limit for one request.
    package init(_ tokens: AccessTokens, within limit: Duration) {
        self.tokens = tokens
        self.limit = limit
    }

    /// Fetches a token if there is none, or the one held ends soon.
    package func refresh() -> AccessTokens.Refresh { tokens.refresh(within: limit, interruption) }

    /// How long until the token should be replaced; zero where there is none.
    package nonisolated var untilRefresh: Duration { tokens.untilRefresh }

    /// Ends a request at once, and prevents further ones.
    package nonisolated func abort() { interruption.abort() }
}
