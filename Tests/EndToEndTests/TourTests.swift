// The README's tour, run by a shell as it is written there. Its text must be the programs' own output.

import Foundation
import TestSupport
import Testing

@Suite("The README", .timeLimit(.minutes(10)))
struct TourTests {
    /// A command of the tour, and the output that the README shows for it.
    private struct Step {
        let command: String
        var output = ""
    }

    /// The content of the section's first code block in the given language.
    private func block(_ language: String) throws -> [Substring] {
        let path = URL(filePath: #filePath).appending(path: "../../../README.md").standardized
        let readme = try String(contentsOf: path, encoding: .utf8)
        let tour = try #require(readme.split(separator: "\n## ").first { $0.hasPrefix("A tour\n") })
        let block = try #require(tour.split(separator: "```\(language)\n").dropFirst().first)
        let content = try #require(block.split(separator: "\n```").first)
        return content.split(separator: "\n")
    }

    private func steps() throws -> [Step] {
        var steps: [Step] = []
        for line in try block("console") {
            if line.hasPrefix("$ ") {
                steps.append(Step(command: String(line.dropFirst(2))))
            } else {
                let last = try #require(steps.indices.last, "the block begins with a command")
                steps[last].output += "\(line)\n"
            }
        }
        return steps
    }

    /// Runs a line in a shell that finds the programs and the configuration.
    private func run(_ command: String, in installation: Installation) async throws -> ProgramResult {
        try await Program(
            URL(filePath: "/bin/sh"),
            ["-c", command],
            in: installation.folder,
            environment: [
                "PATH": "\(try Program.buildFolder.path):/usr/bin:/bin",
                "OUTBOXD_CONFIG": installation.folder.appending(path: "outboxd.yaml").path,
                "TOKEN": "t0ken",
            ]
        ).result()
    }

    /// The text without the values that differ from run to run; all of them have a fixed length.
    private func normalized(_ text: String) -> String {
        text.replacing(/\d{4}-\d\d-\d\d/, with: "DATE")
            .replacing(/\d\d:\d\d:\d\d\.\d{3}/, with: "TIME")
            .replacing(/\d\d:\d\d:\d\d/, with: "TIME")
            .replacing(/queued as [0-9A-F]+/, with: "queued as ID")
    }

    @Test("its tour shows the programs' own output")
    func tour() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay(
                "--fault",
                #"rcpt: reply 450 4.2.1 "Mailbox busy, try again later" first 1"#
            )
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(
                port: port,
                relay: ", name: \"smtp.example.com:587\"",
                further: "retry: {delays: [100ms]}"
            )
            let steps = try steps()
            let programs = steps.map { $0.command.split(separator: " ")[0] }
            #expect(programs == ["outboxctl", "printf", "outboxctl", "outboxctl"])
            var daemon: Program?
            for step in steps {
                let result = try await run(step.command, in: installation)
                #expect(result.exitCode == 0 && result.errors.isEmpty, "\(step.command): \(result.errors)")
                let output = result.output.replacing(installation.database, with: "/var/lib/outboxd/outbox.db")
                #expect(normalized(output) == normalized(step.output), "\(step.command) prints:\n\(output)")
                // The first command creates the database; the README's daemon works on it from then on.
                if daemon == nil { daemon = try installation.start("outboxd") }
                if step.command.contains("enqueue") {
                    let wait = try await installation.waitUntilNoneIsOpen()
                    #expect(wait.exitCode == 0, "\(wait.errors)")
                }
            }
            for line in try block("sh") {
                let result = try await run(String(line), in: installation)
                let isEmpty = result.exitCode == 1 && result.output.hasPrefix("nothing found")
                #expect(result.exitCode == 0 || isEmpty, "\(line): \(result.output)\(result.errors)")
            }
            daemon?.terminate()
            #expect(try await daemon?.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }
}
