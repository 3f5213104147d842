// The relays in the file: URLs, protection, credentials, numbers.

import OutboxCore
import Testing

@testable import OutboxSettings

@Suite struct RelayReaderTests {
    @Test(
        "a relay's URL gives scheme, host and port",
        arguments: [
            ("smtp://smtp.example.com", RelayEndpoint(scheme: .smtp, host: "smtp.example.com", port: 587)),
            ("smtps://smtp.example.com", RelayEndpoint(scheme: .smtps, host: "smtp.example.com", port: 465)),
            ("smtp://smtp.example.com:25", RelayEndpoint(scheme: .smtp, host: "smtp.example.com", port: 25)),
            ("SMTP://192.0.2.1:65535", RelayEndpoint(scheme: .smtp, host: "192.0.2.1", port: 65535)),
            ("smtps://[2001:db8::1]", RelayEndpoint(scheme: .smtps, host: "2001:db8::1", port: 465)),
            ("smtp://localhost:1", RelayEndpoint(scheme: .smtp, host: "localhost", port: 1)),
        ]
    )
    func goodURL(url: String, endpoint: RelayEndpoint) throws {
        #expect(try RelayEndpoint(settingText: url) == endpoint)
    }

    @Test(
        "a URL that is not one of a relay is refused, with what to write instead",
        arguments: [
            ("smtp.example.com:587", "found \"smtp.example.com:587\"; put smtp:// or smtps:// before the host"),
            ("https://smtp.example.com", "expected a URL that begins with smtp:// or smtps://, found"),
            ("smtp://", "the host must be a name in ASCII"),
            ("smtp://:25", "the host must be a name in ASCII"),
            ("smtp://smtp.example.com/", "remove the path; the name to say in EHLO has a key of its own, helo"),
            ("smtp://smtp.example.com/mail.example.com", "remove the path; the name to say in EHLO has a key"),
            ("smtp://smtp.example.com?tls=no", "remove the query; TLS, names and timeouts have keys of their own"),
            ("smtp://smtp.example.com#x", "remove the query"),
            ("smtp://smtp.example.com:0", "expected a port from 1 to 65535 after the host, or no port for 587"),
            ("smtp://smtp.example.com:65536", "expected a port from 1 to 65535"),
            ("smtp://smtp.example.com:", "expected a port from 1 to 65535"),
            ("smtp://smtp.example.com:x", "expected a URL such as smtp://smtp.example.com:587"),
            ("smtp://10.0.0.300", "the host must be a name in ASCII, an IPv4 address or an [IPv6 address]"),
            ("smtp://[::1", "expected a URL such as"),
            ("smtp://-bad-.example.com", "the host must be a name in ASCII"),
            ("smtp://b%61d.example.com/", "remove the path"),
            ("smtp://exa mple.com", "expected a URL such as"),
            ("smtp://münchen.example", "expected a URL such as"),
        ]
    )
    func badURL(url: String, message: String) {
        let problems = Fixture.problems(Fixture.withRelay.replacing("smtp://smtp.example.com:587", with: "'\(url)'"))
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("line 5: relays[0].url: ") == true)
        #expect(problems.first?.contains(message) == true, "\(problems)")
    }

    @Test(
        "a password in the URL is refused and not shown",
        arguments: ["smtp://me:canary@smtp.example.com", "me:canary@smtp.example.com", "smtp://me:canary@\u{301}x"]
    )
    func passwordInURL(url: String) {
        let problems = Fixture.problems(Fixture.withRelay.replacing("smtp://smtp.example.com:587", with: "'\(url)'"))
        #expect(
            problems == [
                "line 5: relays[0].url: a user name or password does not belong in the URL; use the keys user and "
                    + "password"
            ]
        )
    }

    @Test("there must be a relay")
    func noRelay() {
        let relay = #"[{url: "smtp://127.0.0.1:2525", tls: none}]"#
        #expect(
            Fixture.problems(Fixture.minimal.replacing(relay, with: "[]")) == [
                """
                line 3: relays: expected a list of relays such as [{url: \"smtp://smtp.example.com:587\"}] with 1 \
                to 32 
                """
                    + "entries, found 0"
            ]
        )
        #expect(
            Fixture.problems(Fixture.minimal.replacing(relay, with: "smtp://127.0.0.1")) == [
                "line 3: relays: expected a list of relays such as [{url: \"smtp://smtp.example.com:587\"}], found "
                    + "\"smtp://127.0.0.1\""
            ]
        )
        #expect(
            Fixture.problems(Fixture.minimal.replacing(relay, with: "[smtp://127.0.0.1]")) == [
                "line 3: relays[0]: expected a mapping with the key url and others, found \"smtp://127.0.0.1\""
            ]
        )
    }

    @Test("two relays with the same name are refused, whether set or default")
    func sameName() {
        let again = "  - {url: \"smtp://smtp.example.com\"}\n"
        #expect(
            Fixture.problems(Fixture.withRelay + again) == [
                """
                line 6: relays[1]: the name \"smtp.example.com:587\" is also that of relays[0]; give each relay a \
                name 
                """
                    + "of its own with the key name"
            ]
        )
        #expect(Fixture.problems(Fixture.withRelay + "    name: other\n" + again) == [])
    }

    @Test(
        "a relay's key that is wrong is explained",
        arguments: [
            ("tls: no", "tls: expected one of required, opportunistic, none, found the boolean \"no\""),
            ("tls: true", "tls: expected one of required, opportunistic, none, found the boolean \"true\""),
            (
                "tls: requierd",
                "tls: expected one of required, opportunistic, none, found \"requierd\"; did you mean required?"
            ),
            ("connections: 0", "connections: expected a whole number from 1 to 100, found the number \"0\""),
            ("connections: 101", "connections: expected a whole number from 1 to 100, found the number \"101\""),
            (
                "connections: \"10\"",
                "connections: expected a whole number from 1 to 100, found \"10\"; remove the quotes"
            ),
            ("connections: 010", "connections: expected a whole number from 1 to 100, found the number \"010\""),
            ("connections: 1e1", "connections: expected a whole number from 1 to 100, found the number \"1e1\""),
            (
                "connections: 99999999999999999999",
                "connections: expected a whole number from 1 to 100, found the number \"99999999999999999999\""
            ),
            (
                "messages_per_connection: 1:30",
                "messages_per_connection: expected a whole number from 1 to 100000, found the number \"1:30\""
            ),
            ("idle: 500ms", "idle: expected a duration from 1s to 1h, found \"500ms\""),
            ("idle: 1s500ms", "idle: expected a duration in whole seconds, found \"1s500ms\""),
            ("connect_timeout: 99ms", "connect_timeout: expected a duration from 100ms to 5m, found \"99ms\""),
            ("reply_timeout: 1500ms", "reply_timeout: expected a duration in whole seconds, found \"1500ms\""),
            ("reply_timeout: 1d", "reply_timeout: expected a duration from 1s to 10m, found \"1d\""),
            ("rcpt_timeout: 999ms", "rcpt_timeout: expected a duration from 1s to 10m, found \"999ms\""),
            ("final_dot_timeout: 999ms", "final_dot_timeout: expected a duration from 1s to 1h, found \"999ms\""),
            ("final_dot_timeout: 61m", "final_dot_timeout: expected a duration from 1s to 1h, found \"61m\""),
            ("auth: plain", "auth: auth says how to log in; add the keys user and password, or remove auth"),
            ("rate: 0", "rate: expected a number from 0.01 to 10000, found the number \"0\""),
            ("rate: 0.009", "rate: expected a number from 0.01 to 10000, found the number \"0.009\""),
            ("rate: 10000.1", "rate: expected a number from 0.01 to 10000, found the number \"10000.1\""),
            ("rate: 5/s", "rate: expected a number from 0.01 to 10000, found \"5/s\""),
            ("dsn: delay", "dsn: expected one of none, failure, success, found \"delay\""),
            ("dsn: yes", "dsn: expected one of none, failure, success, found the boolean \"yes\""),
            ("suspect_after: 0", "suspect_after: expected a whole number from 1 to 1000, found the number \"0\""),
            ("suspect_after: 1001", "suspect_after: expected a whole number from 1 to 1000, found the number \"1001\""),
            ("name: ''", "name: expected a name for the relay, found \"\"; give a value or remove the line"),
            (
                "helo: mail_1",
                """
                helo: expected a host name such as mail.example.com, or an address such as [192.0.2.1] or \
                [IPv6:2001:db8::1], found \"mail_1\"
                """
            ),
            (
                "helo: 192.0.2.1",
                """
                helo: expected a host name such as mail.example.com, or an address such as [192.0.2.1] or \
                [IPv6:2001:db8::1], found \"192.0.2.1\"
                """
            ),
            (
                "helo: '[2001:db8::1]'",
                """
                helo: expected a host name such as mail.example.com, or an address such as [192.0.2.1] or \
                [IPv6:2001:db8::1], found \"[2001:db8::1]\"
                """
            ),
            (
                "ca_file: 1",
                """
                ca_file: expected the path of a file with certificates, found the number \"1\"; put it in quotes if \
                it is meant as text
                """
            ),
            ("user: me", "user: a user needs a password; add the key password or oauth, or remove user"),
            ("password: {file: p}", "password: a password needs a user; add the key user, or remove password"),
        ]
    )
    func wrongKey(line: String, message: String) {
        #expect(Fixture.relayProblems(line) == ["line 6: relays[0].\(message)"])
    }

    @Test("auth takes a mechanism's name", arguments: AuthenticationMechanism.allCases)
    func authentication(mechanism: AuthenticationMechanism) throws {
        let proof = mechanism.takesToken ? Self.oauth : "password: {file: p}"
        let relay = try Fixture.relay("auth: \(mechanism.rawValue)", "user: u", proof)
        #expect(relay.configuration.authentication == mechanism)
    }

    @Test("an unknown mechanism is refused, with the known names")
    func unknownMechanism() {
        let problems = Fixture.relayProblems("auth: cram5")
        #expect(
            problems.first == """
                line 6: relays[0].auth: expected one of plain, login, cram-md5, digest-md5, ntlm, gssapi, xoauth2, \
                oauthbearer, found "cram5"
                """
        )
    }

    private static let oauth = "oauth: {token_url: 'https://t.example/token', client_id: i, client_secret: {file: s}}"

    @Test("oauth takes client credentials, a refresh token, or both")
    func oauth() throws {
        #expect(
            try Fixture.relay("user: u", Self.oauth).credentials
                == RelayCredentials(
                    user: "u",
                    oauth: OAuthSettings(
                        tokenURL: "https://t.example/token",
                        clientID: "i",
                        clientSecret: .file("/etc/outboxd/s")
                    )
                )
        )
        let open = try Fixture.relay(
            "user: u",
            "oauth: {token_url: 'http://localhost:8080/t', client_id: i, refresh_token: {credential: r}, scope: a b}"
        )
        let expected = OAuthSettings(
            tokenURL: "http://localhost:8080/t",
            clientID: "i",
            refreshToken: .credential("r"),
            scope: "a b"
        )
        #expect(open.credentials?.proof == .oauth(expected))
        #expect(open.credentials?.secrets.map(\.key) == [.refreshToken])
    }

    @Test(
        "a mistake about oauth is explained",
        arguments: [
            (
                ["oauth: {token_url: T, client_id: i, client_secret: {file: s}}"],
                "oauth needs a user; add the key user with"
            ),
            (
                ["user: u", "password: {file: p}", "oauth: {token_url: T, client_id: i, client_secret: {file: s}}"],
                "password and oauth are both given; keep one"
            ),
            (
                ["user: u", "auth: login", "oauth: {token_url: T, client_id: i, client_secret: {file: s}}"],
                "auth: login takes a password; use xoauth2 or oauthbearer, or remove auth"
            ),
            (
                ["user: u", "auth: xoauth2", "password: {file: p}"],
                "auth: xoauth2 takes an access token; use oauth instead of password"
            ),
            (
                ["user: u", "oauth: {token_url: T, client_id: i}"],
                "oauth.client_secret: missing; add client_secret: {file: PATH} or {credential: NAME}, or refresh_token"
            ),
            (
                ["user: u", "oauth: {token_url: T, client_secret: {file: s}}"],
                "oauth.client_id: missing; add the identifier that the provider gave this client"
            ),
            (
                ["user: u", "oauth: {client_id: i, client_secret: {file: s}}"],
                "oauth.token_url: missing; add the token endpoint, such as https://login.microsoftonline.com/TENANT/"
            ),
            (
                ["user: u", "oauth: {token_url: 'http://t.example/', client_id: i, client_secret: {file: s}}"],
                "over http:// anyone on the way can read the secret; http is allowed for localhost only"
            ),
            (
                [
                    "user: u",
                    "oauth: {token_url: 'https://me:canary@t.example/', client_id: i, client_secret: {file: s}}",
                ],
                "a user name or password does not belong in the URL; use client_id and client_secret"
            ),
            (
                ["user: u", "oauth: {token_url: 't.example/token', client_id: i, client_secret: {file: s}}"],
                "expected a URL such as https://oauth2.googleapis.com/token, found \"t.example/token\""
            ),
            (
                ["user: u", "oauth: {token_url: 'ftp://t.example/token', client_id: i, client_secret: {file: s}}"],
                "expected a URL such as https://oauth2.googleapis.com/token"
            ),
            (
                ["user: u", "oauth: {token_url: T, client_id: i, client_secret: canary}"],
                "oauth.client_secret: expected {file: PATH} or {credential: NAME}; a client secret is never written in this file"
            ),
            (
                ["user: u", "oauth: {token_url: T, client_id: i, refresh_token: {file: [canary]}}"],
                "oauth.refresh_token.file: expected the path of a file with the refresh token, found a list"
            ),
            (
                ["tls: opportunistic", "user: u", "oauth: {token_url: T, client_id: i, client_secret: {file: s}}"],
                "with opportunistic the access token could be sent in the clear"
            ),
        ]
    )
    func oauthProblems(lines: [String], message: String) {
        let written = lines.map { "    \($0.replacing("T,", with: "'https://t.example/token',"))\n" }.joined()
        let problems = Fixture.problems(Fixture.withRelay + written)
        #expect(problems.count == 1 && problems.first?.contains(message) == true, "\(problems)")
        #expect(!problems.joined().contains("canary"))
    }

    @Test("helo takes a host name or an address literal", arguments: ["mail", "mail.example.com", "[192.0.2.1]"])
    func helo(name: String) throws {
        #expect(try Fixture.relay("helo: '\(name)'").configuration.helo == name)
    }

    @Test("rate and suspect_after accept the ends of their ranges", arguments: [(0.01, 1), (10_000, 1000)])
    func ends(rate: Double, suspectAfter: Int) throws {
        let relay = try Fixture.relay("rate: \(rate)", "suspect_after: \(suspectAfter)")
        #expect(relay.configuration.rate == rate)
        #expect(relay.configuration.suspectAfter == suspectAfter)
    }

    @Test("smtps goes with tls: required only", arguments: ["none", "opportunistic"])
    func implicitTLS(tls: String) throws {
        let text = Fixture.withRelay.replacing("smtp://smtp.example.com:587", with: "smtps://smtp.example.com")
        #expect(
            Fixture.problems("\(text)    tls: \(tls)\n") == [
                """
                line 6: relays[0].tls: \(tls) does not go with smtps://, which is TLS from the first byte; remove \
                tls, 
                """
                    + "or use smtp://"
            ]
        )
        #expect(try Fixture.read("\(text)    tls: required\n").relays[0].configuration.tls == .required)
    }

    @Test("a certificate file is refused without TLS")
    func certificatesWithoutTLS() {
        #expect(
            Fixture.relayProblems("tls: none", "ca_file: ca.pem") == [
                "line 7: relays[0].ca_file: there are no certificates to check with tls: none; remove ca_file, or set "
                    + "tls: required"
            ]
        )
        #expect(Fixture.relayProblems("tls: opportunistic", "ca_file: ca.pem") == [])
    }

    @Test("a password that could cross a network in the clear is refused", arguments: ["none", "opportunistic"])
    func passwordInTheClear(tls: String) {
        let lines = "    tls: \(tls)\n    user: me\n    password: {file: p}\n"
        #expect(
            Fixture.problems(Fixture.withRelay + lines) == [
                """
                line 6: relays[0].tls: with \(tls) the password could be sent in the clear; use tls: required, \
                which is 
                """
                    + "the default (a relay on this machine may do without)"
            ]
        )
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]", "mail.localhost"] {
            let text = Fixture.withRelay.replacing("smtp.example.com", with: host)
            #expect(Fixture.problems(text + lines) == [], "\(host)")
        }
        for host in ["127.example.com", "localhost.example.com", "[2001:db8::1]", "128.0.0.1"] {
            let text = Fixture.withRelay.replacing("smtp.example.com", with: host)
            #expect(Fixture.problems(text + lines).count == 1, "\(host)")
        }
    }

    @Test(
        "what stands under password is never shown",
        arguments: [
            (
                "canary",
                """
                line 7: relays[0].password: expected {file: PATH} or {credential: NAME}; a password is never \
                written in this file, it is read from a file or a systemd credential
                """
            ),
            ("[canary]", "line 7: relays[0].password: expected {file: PATH} or {credential: NAME}, found a list"),
            ("{}", "line 7: relays[0].password: missing; add {file: PATH} or {credential: NAME}"),
            ("{file: a, credential: b}", "line 7: relays[0].password: file and credential are both given; keep one"),
            (
                "{file: 123}",
                """
                line 7: relays[0].password.file: expected the path of a file with a password, found a number that \
                is not shown here; put it in quotes if it is meant as text
                """
            ),
            (
                "{file: [canary]}",
                "line 7: relays[0].password.file: expected the path of a file with a password, found a list"
            ),
            (
                "{file: ~}",
                """
                line 7: relays[0].password.file: expected the path of a file with a password, found nothing; give a \
                value or remove the line
                """
            ),
            (
                "{credential: can/ary}",
                """
                line 7: relays[0].password.credential: expected the name of a systemd credential such as \
                smtp-password, without /, found a text that is not shown here
                """
            ),
            (
                "{credential: yes}",
                """
                line 7: relays[0].password.credential: expected the name of a systemd credential, found a boolean \
                that is not shown here; put it in quotes if it is meant as text
                """
            ),
            (
                "{file: a, canary: b}",
                """
                line 7: relays[0].password: unknown key, not shown here because it may be the password (keys here: \
                credential, file)
                """
            ),
        ]
    )
    func passwordProblems(value: String, message: String) {
        let problems = Fixture.relayProblems("user: me", "password: \(value)")
        #expect(problems == [message.replacing("of a file with a password", with: "of a file with the password")])
        #expect(!problems.joined().contains("canary"))
    }

    @Test("a password written as a key is reported without it, with the nearest key")
    func passwordAsKey() {
        let problems = Fixture.relayProblems("user: me", "password: {canary}")
        #expect(problems.count == 2)
        #expect(!problems.joined().contains("canary"))
        let near = Fixture.relayProblems("user: me", "password: {credental: x}").joined()
        #expect(near.contains("did you mean \"credential\"?"))
    }

    @Test("a wrong URL does not hide the other mistakes of the relay")
    func together() {
        let text = Fixture.withRelay.replacing("smtp://smtp.example.com:587", with: "x")
        #expect(Fixture.problems(text + "    tls: no\n    idle: 8\n    user: me\n").count == 4)
    }
}
