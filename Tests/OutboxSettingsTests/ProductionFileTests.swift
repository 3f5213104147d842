// config/outboxd.yaml against the code: it loads, it shows every key, and its stated defaults are the real ones.

import Foundation
import OutboxCore
import TestSupport
import Testing

@testable import OutboxSettings

@Suite struct ProductionFileTests {
    private let path = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../config/outboxd.yaml").standardizedFileURL.path

    /// The file with every `#key` line activated: removes a `#` directly before a word, or before the deeper
    /// indentation of a line below one. Prose has one space after the `#`.
    ///
    /// - Parameter usesOAuth: leaves out `password` and the mechanism for it; else `oauth`, which excludes them.
    private func everythingActive(usesOAuth: Bool = false) throws -> String {
        var text = try String(contentsOfFile: path, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.replacing(/^( *)#(?=[a-z]|  +[a-z])/) { String($0.1) } }
            .joined(separator: "\n")
        text.replace(usesOAuth ? /\n    (?:password|auth): .*/ : /\n    oauth:(?:\n      .*)+/, with: "")
        return text
    }

    @Test("the production file loads as it is")
    func loads() throws {
        let settings = try SettingsFile.load(path)
        var relay = RelaySettings(endpoint: RelayEndpoint(scheme: .smtp, host: "smtp.example.com"))
        relay.credentials = RelayCredentials(user: "outboxd", password: .credential("smtp-password"))
        let expected = Settings(
            database: DatabaseSettings(path: "/var/lib/outboxd/outbox.db", create: true),
            sender: SenderSettings(address: "no-reply@cloudone.trendmicro.com", name: "Trend Cloud One"),
            links: [
                "verify-email": "https://cloudone.trendmicro.com/verify-email?token={token}",
                "reset-password": "https://cloudone.trendmicro.com/reset-password?token={token}",
            ],
            relays: [relay]
        )
        #expect(settings == expected)
    }

    @Test("every default that the production file states is the default in the code")
    func defaults() throws {
        var stated = try SettingsFile.read(try everythingActive(), file: path)
        // These keys have no default, so the file shows examples.
        #expect(stated.templates == "/etc/outboxd/templates")
        #expect(stated.relays[0].configuration.caFile == "/etc/outboxd/relay-ca.pem")
        #expect(stated.relays[0].configuration.helo == "mail.example.com")
        #expect(stated.relays[0].configuration.authentication == .login)
        #expect(stated.relays[0].configuration.rate == 10)
        #expect(stated.relays[0].configuration.stageTimeouts.count == 4)
        #expect(stated.sender.envelopeFrom?.text == "bounces+{id}@example.com")
        #expect(stated.tokens == TokenSettings(key: .credential("token-key")))
        stated.tokens = nil
        #expect(stated.mail.replyTo == "support@example.com" && stated.mail.company?.hasPrefix("Example") == true)
        #expect(
            stated.mail.help?.text == "https://example.com/help" && stated.mail.logo?.text.hasSuffix(".png") == true
        )
        #expect(stated.mail.askAgain.count == 2 && stated.mail.feedbackIDs["reset-password"]?.text == "reset:example")
        #expect(stated.mail.color == .standard)
        stated.templates = nil
        stated.mail = MailOptions()
        (stated.sender.replyTo, stated.sender.company) = (nil, nil)
        stated.relays[0].configuration.caFile = nil
        stated.relays[0].configuration.helo = nil
        stated.relays[0].configuration.authentication = nil
        stated.relays[0].configuration.rate = nil
        stated.relays[0].configuration.stageTimeouts = [:]
        stated.sender.envelopeFrom = nil
        #expect(stated == (try SettingsFile.load(path)))
    }

    @Test("the production file shows a complete client of a token server")
    func oauth() throws {
        let relay = try SettingsFile.read(try everythingActive(usesOAuth: true), file: path).relays[0]
        let oauth = OAuthSettings(
            tokenURL: "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
            clientID: "11112222-bbbb-3333-cccc-4444dddd5555",
            clientSecret: .credential("smtp-client-secret"),
            refreshToken: .credential("smtp-refresh-token"),
            scope: "https://outlook.office365.com/.default",
            caFile: "/etc/outboxd/token-server-ca.pem"
        )
        #expect(relay.credentials == RelayCredentials(user: "outboxd", oauth: oauth))
    }

    @Test("the production file shows every key that the reader knows")
    func everyKey() throws {
        let log = ProblemLog(folder: "/")
        let text = try everythingActive()
        let withOAuth = try everythingActive(usesOAuth: true)
        _ = try SettingsFile.read(text, file: path, log: log)
        _ = try SettingsFile.read(withOAuth, file: path, log: log)
        #expect(log.keys.count == 78)
        for key in log.keys {
            let name = try #require(key.split(separator: ".").last)
            let isShown = (text + withOAuth).split(separator: "\n").contains { line in
                line.trimmingPrefix(/[ -]*/).hasPrefix("\(name):") || line.contains("{\(name): ")
            }
            #expect(isShown, "\(key)")
        }
    }
}
