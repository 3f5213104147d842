// Shared helpers of the settings' tests: a valid file, and the problems of an invalid one.
// Never changes the files that it reads.

import Foundation
import Testing

@testable import OutboxSettings

/// Texts of configuration files.
enum Fixture {
    static let file = "/etc/outboxd/outboxd.yaml"

    static let minimal = """
        database: outbox.db
        sender: {name: Trend Cloud One, address: no-reply@cloudone.trendmicro.com}
        relays: [{url: "smtp://127.0.0.1:2525", tls: none}]
        links:
          verify-email: "https://cloudone.trendmicro.com/verify-email?token={token}"
          reset-password: "https://cloudone.trendmicro.com/reset-password?token={token}"

        """

    /// The four required keys, with one relay that begins at line 5 and can be extended by lines with four spaces.
    static let withRelay = """
        database: outbox.db
        sender: {address: no-reply@example.com}
        links: {verify-email: "https://example.com/verify?token={token}"}
        relays:
          - url: smtp://smtp.example.com:587

        """

    static func read(_ text: String) throws -> Settings {
        try SettingsFile.read(text, file: file)
    }

    /// The relay of `withRelay` with further lines.
    static func relay(_ lines: String...) throws -> RelaySettings {
        try #require(try read(withRelay + indented(lines)).relays.first)
    }

    /// The problems of a text as the operator reads them.
    static func problems(_ text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch let error as SettingsError {
            return error.problems.map(\.description)
        } catch {
            return ["not a SettingsError: \(error)"]
        }
    }

    /// The problems of `withRelay` with further lines for its relay, from line 6 on.
    static func relayProblems(_ lines: String...) -> [String] {
        problems(withRelay + indented(lines))
    }

    private static func indented(_ lines: [String]) -> String {
        lines.map { "    \($0)\n" }.joined()
    }
}

/// A new folder that is removed with the last reference to it.
final class TemporaryFolder {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "outboxd-settings-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("the folder \(path) stays behind: \(error)")
        }
    }

    /// Writes a file and returns its path.
    func write(_ name: String, _ bytes: some Sequence<UInt8>, mode: Int = 0o640) throws -> String {
        let file = "\(path)/\(name)"
        try Data(bytes).write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }
}
