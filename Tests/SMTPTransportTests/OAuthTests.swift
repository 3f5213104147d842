// Logins with access tokens: a token server and a relay on loopback, and every way to fail.

import FakeSMTP
import FakeTokenServer
import Foundation
import InternetMessage
import OutboxCore
import Synchronization
import TestSupport
import Testing

@testable import SMTPTransport

@Suite("Access tokens", .timeLimit(.minutes(10)))
struct OAuthTests {
    private static let secret = "CANARY-client-secret"

    /// A clock that only a test moves.
    private final class Clock: Sendable {
        private let time = Mutex(Duration.zero)
        var now: Duration { time.withLock(\.self) }
        func advance(by span: Duration) { time.withLock { $0 += span } }
    }

    private static func client(
        _ server: FakeTokenServer,
        refreshToken: String? = nil,
        caFile: String? = nil
    ) -> OAuthClient {
        OAuthClient(
            tokenURL: server.url,
            clientID: "client-1",
            clientSecret: secret,
            refreshToken: refreshToken,
            scope: "https://outlook.office365.com/.default",
            caFile: caFile
        )
    }

    /// A relay that takes these tokens, whoever the user is.
    private static func relay(
        _ server: FakeSMTPServer,
        _ tokens: AccessTokens,
        _ change: (inout SMTPRelay) -> Void = { _ in }
    ) -> SMTPRelay {
        SMTPRelay(server).with {
            $0.credentials = SMTPCredentials(user: "no-reply@example.com", tokens: tokens)
            change(&$0)
        }
    }

    private func value(of tokens: AccessTokens) -> String? {
        switch tokens.token(within: .seconds(60), Interruption()) {
        case .success(let token): token.value
        case .failure: nil
        }
    }

    private static func options(
        accepting token: String,
        offering mechanisms: [SASLMechanism] = [.login, .xoauth2],
        failing: Set<SASLMechanism> = [.login]
    ) -> FakeSMTPServer.Options {
        var options = FakeSMTPServer.Options(credentials: ["no-reply@example.com": token])
        options.mechanisms = mechanisms
        options.failingMechanisms = failing
        options.requiresAuthentication = true
        return options
    }

    @Test("client credentials bring a token over HTTPS, which every connection uses")
    func clientCredentials() async throws {
        try await FakeTokenServer.with(.token("CANARY-token-1"), tls: .valid) { server in
            try await withFolder { folder in
                let file = folder.appending(path: "ca.pem").path
                try (server.certificatePEM ?? "").write(toFile: file, atomically: true, encoding: .utf8)
                try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token-1")) { relay in
                    let tokens = AccessTokens(Self.client(server, caFile: file))
                    for number in 1...2 {
                        let lane = SMTPLane(relay: Self.relay(relay, tokens), number: number)
                        let result = await lane.send(.sample())
                        #expect(result.isAccepted, "\(result)")
                    }
                    #expect(relay.ledger.accepted.map(\.user) == ["no-reply@example.com", "no-reply@example.com"])
                }
            }
            #expect(
                server.requests == [
                    [
                        "grant_type": "client_credentials", "client_id": "client-1", "client_secret": Self.secret,
                        "scope": "https://outlook.office365.com/.default",
                    ]
                ]
            )
        }
    }

    @Test(
        "the relay's offer decides about the mechanism",
        arguments: [
            ([SASLMechanism.login, .xoauth2], 1), ([.plain, .xoauth2, .oauthBearer], 1),
            ([.plain, .login, .oauthBearer], 2),
        ]
    )
    func mechanism(offered: [SASLMechanism], connections: Int) async throws {
        try await FakeTokenServer.with(.token("CANARY-token")) { server in
            let options = Self.options(accepting: "CANARY-token", offering: offered, failing: [.plain, .login])
            try await FakeSMTPServer.with(options) { relay in
                let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                let result = await lane.send(.sample())
                #expect(result.isAccepted, "\(result)")
                #expect(relay.ledger.connectionCount == connections && relay.ledger.commands["AUTH"] == 1)
            }
        }
    }

    @Test("a configured mechanism is the only one")
    func configured() async throws {
        try await FakeTokenServer.with(.token("CANARY-token")) { server in
            let options = Self.options(
                accepting: "CANARY-token",
                offering: [.xoauth2, .oauthBearer],
                failing: [.xoauth2]
            )
            try await FakeSMTPServer.with(options) { relay in
                let tokens = AccessTokens(Self.client(server))
                let good = Self.relay(relay, tokens) { $0.configuration.authentication = .oauthBearer }
                #expect(await SMTPLane(relay: good, number: 1).send(.sample()).isAccepted)
                #expect(relay.ledger.connectionCount == 1)
            }
        }
    }

    @Test("a relay that offers only passwords gets no login, and the error names its offer")
    func onlyPasswords() async throws {
        try await FakeTokenServer.with(.token("CANARY-token")) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "x", offering: [.plain, .login])) { relay in
                let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                let failure = try #require(await lane.send(.sample()).failure)
                #expect(failure.detail == "the relay offers PLAIN, LOGIN for AUTH, none of which can be used")
                #expect(FailurePolicy.verdict(for: failure).fault == .configuration)
                #expect(relay.ledger.commands["AUTH"] == nil && relay.ledger.connectionCount == 1)
            }
        }
    }

    @Test("a token of any usable length passes", arguments: [20, 300, 1500, 8192])
    func length(count: Int) async throws {
        let token = String((0..<count).map { Character(UnicodeScalar(UInt8(65 + $0 * 7 % 26))) })
        for mechanism in [SASLMechanism.xoauth2, .oauthBearer] {
            try await FakeTokenServer.with(.token(token)) { server in
                try await FakeSMTPServer.with(Self.options(accepting: token, offering: [mechanism])) { relay in
                    let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                    let result = await lane.send(.sample())
                    #expect(result.isAccepted, "\(result)")
                }
            }
        }
    }

    @Test("a refused request is a fault of the configuration, with the provider's words and without our secrets")
    func tokenRefused() async throws {
        let words = "AADSTS7000215: Invalid client secret provided (\(Self.secret), CANARY-refresh)."
        try await FakeTokenServer.with(.error(401, "invalid_client", words)) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "x")) { relay in
                let tokens = AccessTokens(Self.client(server, refreshToken: "CANARY-refresh"))
                let failure = try #require(
                    await SMTPLane(relay: Self.relay(relay, tokens), number: 1).send(.sample()).failure
                )
                #expect(failure.stage == .auth && failure.cause == .tokenRefused)
                #expect(
                    failure.detail == "the token server answered 401: invalid_client: AADSTS7000215: Invalid client "
                        + "secret provided ([secret], [secret])."
                )
                #expect(FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .tokenRefused))
                #expect(relay.ledger.connectionCount == 0)
            }
        }
    }

    @Test("a token server that is out of order is the relay's fault", arguments: [503, 429])
    func unavailable(status: UInt) async throws {
        try await FakeTokenServer.with(.init(status, "busy"), .token("CANARY-token")) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token")) { relay in
                let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                let failure = try #require(await lane.send(.sample()).failure)
                #expect(FailurePolicy.verdict(for: failure) == Verdict(.relay, .again, .tokenUnavailable))
                // A failure is not remembered.
                #expect(await lane.send(.sample()).isAccepted)
            }
        }
    }

    @Test("a token server that nobody reaches, or that never answers, takes no longer than connecting may take")
    func silent() async throws {
        try await FakeTokenServer.with(.silence) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "x")) { relay in
                let tokens = AccessTokens(Self.client(server))
                let patient = Self.relay(relay, tokens) { $0.configuration.connectTimeout = .milliseconds(300) }
                // The second lane waits for the first one's request.
                async let first = SMTPLane(relay: patient, number: 1).send(.sample())
                async let second = SMTPLane(relay: patient, number: 2).send(.sample())
                for result in await [first, second] {
                    let failure = try #require(result.failure)
                    #expect(failure.cause == .tokenUnavailable, "\(failure)")
                }
                #expect(relay.ledger.connectionCount == 0)
            }
        }
        let nobody = OAuthClient(tokenURL: "http://127.0.0.1:1/token", clientID: "id", clientSecret: "CANARY")
        try await FakeSMTPServer.with(Self.options(accepting: "x")) { relay in
            let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(nobody)), number: 1)
            let failure = try #require(await lane.send(.sample()).failure)
            #expect(failure.cause == .tokenUnavailable && failure.detail.contains("(libcurl 7)"), "\(failure)")
        }
    }

    @Test("an abort ends the wait for a token server, of the lane that asks and of one that waits for it")
    func aborted() async throws {
        try await FakeTokenServer.with(.silence) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "x")) { relay in
                let patient = Self.relay(relay, AccessTokens(Self.client(server))) {
                    $0.configuration.connectTimeout = .seconds(300)
                }
                let lanes = (1...2).map { SMTPLane(relay: patient, number: $0) }
                async let first = lanes[0].send(.sample())
                async let second = lanes[1].send(.sample())
                while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
                for lane in lanes { lane.abortSending() }
                for result in await [first, second] { #expect(result.failure?.cause == .interrupted) }
            }
        }
    }

    @Test("lanes that need a token at the same time send one request, with its success or its failure for all")
    func single() async throws {
        for isGranted in [true, false] {
            let answer = isGranted ? FakeTokenServer.Answer.token("CANARY-token") : .error(400, "invalid_scope", "no")
            try await FakeTokenServer.with(answer) { server in
                try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token")) { relay in
                    let shared = Self.relay(relay, AccessTokens(Self.client(server)))
                    let results = await withTaskGroup(of: TransmissionResult.self) { group in
                        for number in 1...10 {
                            group.addTask { await SMTPLane(relay: shared, number: number).send(.sample()) }
                        }
                        return await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(results.allSatisfy { $0.isAccepted == isGranted }, "\(results)")
                    // A lane that comes after a failure asks again.
                    #expect(isGranted ? server.requests.count == 1 : (1...10).contains(server.requests.count))
                }
            }
        }
    }

    @Test("a token is used until shortly before its end, and refreshed before a lane needs another one")
    func lifetime() async throws {
        let clock = Clock()
        try await FakeTokenServer.with(.token("CANARY-a"), .token("CANARY-b"), .token("CANARY-c")) { server in
            let tokens = AccessTokens(Self.client(server), now: { clock.now })
            let interruption = Interruption()
            #expect(tokens.untilRefresh == .zero)
            #expect(value(of: tokens) == "CANARY-a")
            #expect(tokens.untilRefresh == .seconds(3300))
            clock.advance(by: .seconds(3299))
            guard case .notDue = tokens.refresh(within: .seconds(60), interruption) else {
                Issue.record("refreshed too early")
                return
            }
            clock.advance(by: .seconds(1))
            guard case .granted(isRotated: false) = tokens.refresh(within: .seconds(60), interruption) else {
                Issue.record("not refreshed")
                return
            }
            #expect(value(of: tokens) == "CANARY-b")
            clock.advance(by: .seconds(3569))
            #expect(value(of: tokens) == "CANARY-b")
            clock.advance(by: .seconds(1))
            #expect(value(of: tokens) == "CANARY-c")
            #expect(server.requests.count == 3)
        }
    }

    @Test("a failed refresh leaves the token in use until its end")
    func failedRefresh() async throws {
        let clock = Clock()
        try await FakeTokenServer.with(.token("CANARY-a"), .error(400, "invalid_client", "expired")) { server in
            let tokens = AccessTokens(Self.client(server), now: { clock.now })
            let interruption = Interruption()
            #expect(value(of: tokens) == "CANARY-a")
            clock.advance(by: .seconds(3400))
            guard case .failed(let words, isRefused: true) = tokens.refresh(within: .seconds(60), interruption) else {
                Issue.record("granted")
                return
            }
            #expect(words == "the token server answered 400: invalid_client: expired")
            #expect(value(of: tokens) == "CANARY-a")
            clock.advance(by: .seconds(200))
            #expect(value(of: tokens) == nil)
        }
    }

    @Test("a token that ends at once is good for the login that it was fetched for")
    func momentary() async throws {
        try await FakeTokenServer.with(.token("CANARY-token", expiresIn: "0")) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token")) { relay in
                let shared = Self.relay(relay, AccessTokens(Self.client(server)))
                for number in 1...2 {
                    #expect(await SMTPLane(relay: shared, number: number).send(.sample()).isAccepted)
                }
                #expect(server.requests.count == 2)
            }
        }
    }

    @Test("a replaced refresh token is used from then on, also after a reload that changes nothing about it")
    func rotation() async throws {
        let clock = Clock()
        try await FakeTokenServer.with(
            .token("CANARY-a", refresh: "CANARY-r2"),
            .token("CANARY-b", refresh: "CANARY-r3"),
            .token("CANARY-c")
        ) { server in
            let client = Self.client(server, refreshToken: "CANARY-r1")
            let tokens = AccessTokens(client, now: { clock.now })
            let interruption = Interruption()
            var announced: [Bool] = []
            for _ in 1...3 {
                guard case .granted(let isRotated) = tokens.refresh(within: .seconds(60), interruption) else {
                    Issue.record("refused")
                    return
                }
                announced.append(isRotated)
                clock.advance(by: .seconds(3600))
            }
            #expect(announced == [true, false, false])
            #expect(server.requests.map { $0["refresh_token"] } == ["CANARY-r1", "CANARY-r2", "CANARY-r3"])
            #expect(tokens.mask.masked("CANARY-r3 CANARY-c") == "[secret] [secret]")

            let old = SMTPRelay(
                RelayConfiguration(name: "r", url: "smtp://localhost"),
                credentials: SMTPCredentials(user: "u", tokens: tokens)
            )
            var same = old.with { $0.credentials = SMTPCredentials(user: "u", tokens: AccessTokens(client)) }
            same.keepTokens(of: old)
            #expect(same.credentials?.tokens === tokens)
            let changed = AccessTokens(Self.client(server, refreshToken: "CANARY-other"))
            var other = old.with { $0.credentials = SMTPCredentials(user: "u", tokens: changed) }
            other.keepTokens(of: old)
            #expect(other.credentials?.tokens === changed)
        }
    }

    @Test("refresh tokens that the server replaced are masked where it quotes them, the used up ones as well")
    func rotatedWords() async throws {
        let clock = Clock()
        let words = "CANARY-r1 and CANARY-r2 are used up, CANARY-r3 is revoked (\(Self.secret))"
        try await FakeTokenServer.with(
            .token("CANARY-a", refresh: "CANARY-r2"),
            .token("CANARY-b", refresh: "CANARY-r3"),
            .error(400, "invalid_grant", words)
        ) { server in
            let tokens = AccessTokens(Self.client(server, refreshToken: "CANARY-r1"), now: { clock.now })
            let interruption = Interruption()
            for _ in 1...2 {
                _ = tokens.refresh(within: .seconds(60), interruption)
                clock.advance(by: .seconds(3600))
            }
            guard case .failed(let told, isRefused: true) = tokens.refresh(within: .seconds(60), interruption) else {
                Issue.record("not refused")
                return
            }
            #expect(told.contains("[secret] and [secret] are used up, [secret] is revoked ([secret])"), "\(told)")
            let lane = SMTPLane(
                relay: SMTPRelay(
                    RelayConfiguration(name: "r", url: "smtp://127.0.0.1:1"),
                    credentials: SMTPCredentials(user: "u", tokens: tokens)
                ),
                number: 1
            )
            let failure = try #require(await lane.send(.sample()).failure)
            #expect(failure.cause == .tokenRefused && !failure.detail.contains("CANARY"), "\(failure)")
            // The server takes a replaced refresh token no second time.
            let asked = server.requests.map { $0["refresh_token"] }
            #expect(asked == ["CANARY-r1", "CANARY-r2", "CANARY-r3", "CANARY-r3"])
        }
    }

    @Test("a token that the provider revoked is replaced within the attempt")
    func revoked() async throws {
        let clock = Clock()
        try await FakeTokenServer.with(.token("CANARY-old"), .token("CANARY-new")) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "CANARY-new")) { relay in
                let tokens = AccessTokens(Self.client(server), now: { clock.now })
                let lane = SMTPLane(relay: Self.relay(relay, tokens), number: 1)
                // A new token that is refused is the configuration's fault, and another one would be no better.
                let failure = try #require(await lane.send(.sample()).failure)
                #expect(FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .authenticationRefused))
                #expect(server.requests.count == 1 && relay.ledger.connectionCount == 1)
                clock.advance(by: .seconds(60))
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.requests.count == 2 && relay.ledger.connectionCount == 3)
            }
        }
    }

    @Test(
        "a relay that refuses the token is a fault of the configuration, with its words",
        arguments: [
            // Google's way (RFC 7628 §3.2.2 as well): the words come as a challenge.
            (
                SASLMechanism.xoauth2, false,
                #"the relay refused the access token: {"status":"400","schemes":"Bearer","scope":"https://mail."#
            ),
            (.oauthBearer, false, "535 5.7.8 Authentication credentials invalid"),
            // Microsoft's: 535 at once.
            (.xoauth2, true, "535 5.7.8 Authentication credentials invalid"),
        ]
    )
    func relayRefuses(mechanism: SASLMechanism, atOnce: Bool, words: String) async throws {
        try await FakeTokenServer.with(.token("CANARY-token")) { server in
            let failing: Set<SASLMechanism> = atOnce ? [mechanism] : []
            let options = Self.options(accepting: "x", offering: [mechanism], failing: failing)
            try await FakeSMTPServer.with(options) { relay in
                let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                let failure = try #require(await lane.send(.sample()).failure)
                #expect(failure.stage == .auth && failure.detail.hasPrefix(words), "\(failure.detail)")
                #expect(FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .authenticationRefused))
            }
        }
    }

    @Test(
        "what Microsoft and Google reply to a login that they refuse is a fault of the configuration, and kept as it is",
        arguments: [
            // sasl-xoauth2 43 and 71: another account's token. email-oauth2-proxy 193, supabase 34425: SMTP is switched off.
            // oqtane 5372. sasl-xoauth2 110: the user name is no address. curl 10259.
            "535 5.7.3 Authentication unsuccessful [FR3P281CA0094.DEUP281.PROD.OUTLOOK.COM]",
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
                + "https://aka.ms/… for more information. [MN2PR05CA0004.namprd05.prod.outlook.com]",
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. "
                + "Contact your administrator.",
            "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid.",
            "535 5.7.8 Username and Password not accepted. Learn more at",
        ]
    )
    func publicReplies(reply: String) async throws {
        let words = reply.split(separator: " ", maxSplits: 2)
        let fault = try Fault(parsing: "auth: reply \(words[0]) \(words[1]) \"\(words[2])\"")
        try await FakeTokenServer.with(.token("CANARY-token")) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token"), faults: [fault]) { relay in
                let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                let failure = try #require(await lane.send(.sample()).failure)
                let verdict = FailurePolicy.verdict(for: failure)
                #expect(verdict.fault == .configuration && verdict.disposition == .again, "\(verdict)")
                #expect(failure.detail == reply)
                #expect(relay.ledger.commands["MAIL"] == nil)
            }
        }
    }

    @Test("a connection outlives the token that opened it")
    func outlived() async throws {
        let clock = Clock()
        try await FakeTokenServer.with(.token("CANARY-token"), .error(400, "invalid_grant", "over")) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token")) { relay in
                let tokens = AccessTokens(Self.client(server), now: { clock.now })
                let lane = SMTPLane(relay: Self.relay(relay, tokens), number: 1)
                #expect(await lane.send(.sample()).isAccepted)
                clock.advance(by: .seconds(7200))
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.requests.count == 1 && relay.ledger.connectionCount == 1)
            }
        }
    }

    @Test("a token that the relay repeats is masked, in clear or as AUTH sent it", arguments: [false, true])
    func repeated(isEncoded: Bool) async throws {
        let token = "CANARY-token-that-is-long-enough"
        let response = Data("user=no-reply@example.com\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8).base64EncodedString()
        let fault = try Fault(parsing: "auth: reply 535 5.7.3 \"bad \(isEncoded ? response : token)\"")
        try await FakeTokenServer.with(.token(token)) { server in
            try await FakeSMTPServer.with(Self.options(accepting: token), faults: [fault]) { relay in
                let shared = Self.relay(relay, AccessTokens(Self.client(server)))
                let failure = try #require(await SMTPLane(relay: shared, number: 1).send(.sample()).failure)
                #expect(failure.detail == "535 5.7.3 bad [secret]", "\(failure.detail)")
                #expect(!String(reflecting: shared).contains("CANARY"))
            }
        }
    }

    @Test("a token server whose certificate isn't trusted gets no secret")
    func untrusted() async throws {
        try await FakeTokenServer.with(.token("CANARY-token"), tls: .valid) { server in
            try await FakeSMTPServer.with(Self.options(accepting: "CANARY-token")) { relay in
                let lane = SMTPLane(relay: Self.relay(relay, AccessTokens(Self.client(server))), number: 1)
                let failure = try #require(await lane.send(.sample()).failure)
                #expect(failure.cause == .tokenRefused && failure.detail.contains("(libcurl 60)"), "\(failure.detail)")
                #expect(server.requests.isEmpty)
            }
        }
    }

    @Test("a redirect is not followed, so no other server gets the secret")
    func redirect() async throws {
        try await FakeTokenServer.with(.token("CANARY-token")) { other in
            let answer = FakeTokenServer.Answer(307, "", headers: [("Location", other.url)])
            try await FakeTokenServer.with(answer) { server in
                let tokens = AccessTokens(Self.client(server))
                guard case .failure(let failure) = tokens.token(within: .seconds(60), Interruption()) else {
                    Issue.record("followed")
                    return
                }
                #expect(failure.kind == .refused && failure.words.contains("set token_url to the final address"))
                #expect(other.requests.isEmpty)
            }
        }
    }

    @Test("an endless answer is not read to its end")
    func endless() async throws {
        try await FakeTokenServer.with(.init(200, String(repeating: " ", count: 1 << 20))) { server in
            let tokens = AccessTokens(Self.client(server))
            guard case .failure(let failure) = tokens.token(within: .seconds(60), Interruption()) else {
                Issue.record("granted")
                return
            }
            #expect(failure.words == "the token server's answer is too long; check token_url")
        }
    }
}
