// Reads the list of relays and checks combinations of their keys.
// Never reads a password, never connects.

import InternetMessage
import OutboxCore
import Yams

extension SettingReader where Value == [RelaySettings] {
    /// `relays`.
    static var relays: SettingReader {
        let each = SettingReader<(RelaySettings, SettingCursor)> { cursor in
            SettingReader<RelaySettings>.relay.read(cursor).map { ($0, cursor) }
        }
        let all = SettingReader<[(RelaySettings, SettingCursor)]>.list(
            of: each,
            expected: "a list of relays such as [{url: \"smtp://smtp.example.com:587\"}]",
            count: 1...32
        )
        return SettingReader { cursor in
            guard let relays = all.read(cursor) else { return nil }
            var firstWithName: [String: String] = [:]
            var isGood = true
            for (relay, place) in relays {
                if let first = firstWithName[relay.configuration.name] {
                    place.report(
                        "the name \(SettingCursor.quoted(relay.configuration.name)) is also that of \(first); give each relay a name "
                            + "of its own with the key name"
                    )
                    isGood = false
                } else {
                    firstWithName[relay.configuration.name] = place.path
                }
            }
            return isGood ? relays.map(\.0) : nil
        }
    }
}

extension SettingReader where Value == RelaySettings {
    /// One entry of `relays`.
    static var relay: SettingReader {
        mapping(expected: "a mapping with the key url and others") { keys in
            let endpoint = keys.required(
                "url",
                .endpoint,
                missing: "where the relay listens, such as smtp://smtp.example.com:587"
            )
            let name = keys.optional("name", .line(expected: "a name for the relay", limit: 64))
            // A placeholder for an invalid URL, so that the other keys are checked at the same time.
            let standIn = RelayEndpoint(scheme: .smtp, host: "localhost")
            var relay = RelaySettings(endpoint: endpoint ?? standIn, name: name)
            relay.configuration.tls = keys.optional("tls", .choice, default: relay.configuration.tls)
            relay.configuration.caFile = keys.optional(
                "ca_file",
                .path(expected: "the path of a file with certificates")
            )
            let user = keys.optional("user", .line(expected: "a user name", limit: 255))
            let password = keys.optional("password", .secret(.password))
            let oauth = keys.optional("oauth", .oauth)
            relay.configuration.authentication = keys.optional("auth", SettingReader<AuthenticationMechanism>.choice)
            relay.configuration.helo = keys.optional("helo", .helo)
            relay.configuration.connections = keys.optional(
                "connections",
                .integer(1...100),
                default: relay.configuration.connections
            )
            relay.configuration.messagesPerConnection = keys.optional(
                "messages_per_connection",
                .integer(1...100_000),
                default: relay.configuration.messagesPerConnection
            )
            relay.configuration.idle = keys.optional(
                "idle",
                .duration(.seconds(1)...(.seconds(3600)), wholeSeconds: true),
                default: relay.configuration.idle
            )
            relay.configuration.connectTimeout = keys.optional(
                "connect_timeout",
                .duration(.milliseconds(100)...(.seconds(300))),
                default: relay.configuration.connectTimeout
            )
            relay.configuration.replyTimeout = keys.optional(
                "reply_timeout",
                .duration(.seconds(1)...(.seconds(600)), wholeSeconds: true),
                default: relay.configuration.replyTimeout
            )
            let stages: [(key: String, stage: SMTPStage)] = [
                ("mail_timeout", .mail), ("rcpt_timeout", .rcpt), ("data_timeout", .data), ("content_timeout", .body),
            ]
            for (key, stage) in stages {
                relay.configuration.stageTimeouts[stage] = keys.optional(key, .duration(.seconds(1)...(.seconds(600))))
            }
            relay.configuration.finalDotTimeout = keys.optional(
                "final_dot_timeout",
                .duration(.seconds(1)...(.seconds(3600))),
                default: relay.configuration.finalDotTimeout
            )
            relay.configuration.rate = keys.optional("rate", .decimal(0.01...10_000))
            relay.configuration.suspectAfter = keys.optional(
                "suspect_after",
                .integer(1...1000),
                default: relay.configuration.suspectAfter
            )
            relay.configuration.dsn = keys.optional("dsn", .choice, default: relay.configuration.dsn)
            if let user, let password { relay.credentials = RelayCredentials(user: user, password: password) }
            if let user, let oauth { relay.credentials = RelayCredentials(user: user, oauth: oauth) }
            checkCredentials(relay, &keys)
            checkProtection(relay, &keys)
            return relay
        }
    }

    private static func checkCredentials(_ relay: RelaySettings, _ keys: inout MappingReader) {
        if keys.has("password"), keys.has("oauth") {
            keys.report("oauth", "password and oauth are both given; keep one")
        }
        if keys.has("user"), !keys.has("password"), !keys.has("oauth") {
            keys.report("user", "a user needs a password; add the key password or oauth, or remove user")
        }
        if keys.has("password"), !keys.has("user") {
            keys.report("password", "a password needs a user; add the key user, or remove password")
        }
        if keys.has("oauth"), !keys.has("user") {
            keys.report("oauth", "oauth needs a user; add the key user with the mailbox's address, or remove oauth")
        }
        if keys.has("auth"), !keys.has("user") {
            keys.report("auth", "auth says how to log in; add the keys user and password, or remove auth")
        }
        guard let mechanism = relay.configuration.authentication, keys.has("password") != keys.has("oauth") else {
            return
        }
        if mechanism.takesToken, !keys.has("oauth") {
            keys.report("auth", "\(mechanism.rawValue) takes an access token; use oauth instead of password")
        }
        if !mechanism.takesToken, keys.has("oauth") {
            keys.report(
                "auth",
                "\(mechanism.rawValue) takes a password; use xoauth2 or oauthbearer, or remove auth"
            )
        }
    }

    private static func checkProtection(_ relay: RelaySettings, _ keys: inout MappingReader) {
        if relay.endpoint.scheme == .smtps, relay.configuration.tls != .required {
            keys.report(
                "tls",
                "\(relay.configuration.tls.rawValue) does not go with smtps://, which is TLS from the first byte; "
                    + "remove tls, or use smtp://"
            )
            return
        }
        if relay.configuration.tls == .none, keys.has("ca_file") {
            keys.report(
                "ca_file",
                "there are no certificates to check with tls: none; remove ca_file, or set tls: required"
            )
        }
        if keys.has("password") || keys.has("oauth"), relay.configuration.tls != .required,
            !relay.endpoint.isLoopback
        {
            let secret = keys.has("oauth") ? "access token" : "password"
            keys.report(
                "tls",
                "with \(relay.configuration.tls.rawValue) the \(secret) could be sent in the clear; use tls: required, which is the "
                    + "default (a relay on this machine may do without)"
            )
        }
    }
}

extension SettingReader where Value == RelayEndpoint {
    /// `url`.
    static var endpoint: SettingReader {
        SettingReader<String>.text(expected: "a URL such as smtp://smtp.example.com:587")
            .map { (text: String) throws(InvalidSetting) in try RelayEndpoint(settingText: text) }
    }
}

extension SettingReader where Value == PasswordSource {
    /// `password` and the keys of other secrets: the place to read it from, never the secret.
    static func secret(_ key: SecretKey) -> SettingReader {
        let expected = "{file: PATH} or {credential: NAME}"
        let places = mapping(expected: expected) { keys in
            let file = keys.optional("file", .path(expected: "the path of a file with the \(key.words)"))
            let credential = keys.optional(
                "credential",
                SettingReader<String>.text(expected: "the name of a systemd credential")
                    .map(PasswordSource.checkedCredentialName)
            )
            switch (keys.has("file"), keys.has("credential")) {
            case (true, true):
                keys.cursor.report("file and credential are both given; keep one")
                return nil
            case (false, false):
                keys.cursor.report("missing; add \(expected)")
                return nil
            default:
                return file.map(PasswordSource.file) ?? credential.map(PasswordSource.credential)
            }
        }.secret
        return SettingReader { cursor in
            guard case .scalar = cursor.node else { return places.read(cursor) }
            cursor.report(
                "expected \(expected); a \(key.words) is never written in this file, it is read from a file or a systemd "
                    + "credential"
            )
            return nil
        }
    }
}

extension SettingReader where Value == String {
    /// `helo`: the names that RFC 5321 §4.1.1.1 permits a client.
    static var helo: SettingReader {
        let expected = "a host name such as mail.example.com, or an address such as [192.0.2.1] or [IPv6:2001:db8::1]"
        return text(expected: expected).map { (text: String) throws(InvalidSetting) in
            guard DomainName.isHostName(text) || HostName.isAddressLiteral(text) else { throw .expected(expected) }
            return text
        }
    }
}
