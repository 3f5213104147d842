// Shared by the tests: a temporary folder, the shipped templates, and messages to compose.

import Foundation
import MailComposer
import MailTemplates
import OutboxCore
import TestSupport

/// A folder that is deleted with the last reference to it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "MailComposerTests-\(UUID().uuidString)").path()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ name: String, _ data: Data) throws {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: file)
    }

    func write(_ name: String, _ text: String) throws {
        try write(name, Data(text.utf8))
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
    }

    /// Writes the three templates of a language; the HTML is a paragraph by default.
    func writeTemplates(
        _ folder: String,
        subject: String = "Subject\n",
        text: String = "Text\n",
        html: String = "<p>HTML</p>\n"
    ) throws {
        try write("\(folder)/subject.txt.mustache", subject)
        try write("\(folder)/body.txt.mustache", text)
        try write("\(folder)/body.html.mustache", html)
    }

    func composer(
        links: [String: LinkTemplate] = [:],
        sender: Sender = Fixtures.sender,
        codes: Set<String> = []
    ) throws(TemplateLoadingError) -> MailComposer {
        try MailComposer(templates: path, links: links, sender: sender, codes: codes)
    }

    /// The problems that keep a composer from starting with this folder; empty if there are none.
    func problems(
        links: [String: LinkTemplate] = [:],
        sender: Sender = Fixtures.sender,
        codes: Set<String> = []
    ) -> [String] {
        do {
            _ = try composer(links: links, sender: sender, codes: codes)
            return []
        } catch {
            return error.problems.map { $0.description.replacing(path + "/", with: "") }
        }
    }
}

enum Fixtures {
    static let shippedTemplates =
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../config/templates").standardized
        .path()
    static let sender = Sender(name: "Trend Cloud One", address: "no-reply@cloudone.example")
    static let links: [String: LinkTemplate] = [
        "verify-email": "https://cloudone.example/verify?region=us-1&token={token}",
        "reset-password": "https://cloudone.example/reset/{token}",
    ]
    /// 23 November 2026, 14:00:00 UTC.
    static let requestedAt = Timestamp(milliseconds: 1_795_442_400_000)

    static func shipped(sender: Sender = Fixtures.sender) throws -> MailComposer {
        try MailComposer(templates: shippedTemplates, links: links, sender: sender)
    }

    static func message(
        kind: String = "verify-email",
        recipient: String = "jane@example.com",
        token: String = "tok-1",
        locale: String? = nil,
        variables: String = "{}",
        envelopeID: String = "0f8fad5bd9cb469fa16570867728950e",
        livesFor lifetime: Duration? = .seconds(1800)
    ) -> Message {
        Message(
            id: 7,
            kind: kind,
            recipient: recipient,
            token: Token(token),
            locale: locale,
            variables: variables,
            envelopeID: envelopeID,
            requestedAt: requestedAt,
            expiresAt: lifetime.map { requestedAt + $0 }
        )
    }

    /// The content of a sample.json with these samples, all with the same options.
    static func samples(_ members: String, _ options: [String: Any] = [:]) throws -> String {
        let samples = try JSONSerialization.jsonObject(with: Data(members.utf8)) as? [String: Any] ?? [:]
        let variables = samples.mapValues { options.merging(["sample": $0]) { $1 } }
        let data = try JSONSerialization.data(withJSONObject: ["variables": variables])
        return String(decoding: data, as: UTF8.self)
    }

    /// A composer with a single kind, `k`, with these templates.
    static func composer(
        subject: String = "Subject\n",
        text: String = "Text\n",
        html: String = "<p>HTML</p>\n",
        sample: String? = nil,
        options: [String: Any] = [:]
    ) throws -> MailComposer {
        let folder = try TemporaryFolder()
        try folder.writeTemplates("k/en", subject: subject, text: text, html: html)
        if let sample { try folder.write("k/sample.json", samples(sample, options)) }
        return try folder.composer()
    }
}
