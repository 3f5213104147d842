// The commands of docs/templates.md, run as they stand there.

import Foundation
import TestSupport
import Testing

@Suite struct DocumentedTemplatesTests {
    @Test("a new kind and a new locale take the commands that docs/templates.md shows")
    func commands() async throws {
        try await withInstallation { installation in
            let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..").standardized
            let page = try String(contentsOf: root.appending(path: "docs/templates.md"), encoding: .utf8)
            let blocks = page.components(separatedBy: "```sh\n").dropFirst()
                .compactMap { $0.components(separatedBy: "```").first }
            #expect(blocks.count == 2)
            try installation.configure(port: 2525)
            let script = """
                set -e
                export PATH=\(try Program.buildFolder.path):$PATH OUTBOXD_CONFIG=\(installation.folder.path)/outboxd.yaml
                systemctl() { test "$*" = 'reload outboxd'; }

                """
            let commands = blocks.joined().replacing("/usr/local/share/outboxd/", with: "\(root.path)/config/")
                .replacing("/etc/outboxd", with: installation.folder.path)
            try installation.write(script + commands, to: "commands.sh")
            let ended = try await Program(
                URL(filePath: "/bin/bash"),
                [installation.folder.appending(path: "commands.sh").path],
                in: installation.folder
            ).result()
            #expect(ended.exitCode == 0, "\(ended.errors)")
            #expect(ended.output.contains("Verify your email address"))
            let html = try await installation.contents(of: "invite-user.html")
            #expect(html.contains("<title>Join Blue Team</title>") && html.contains("https://example.com/join?token="))
        }
    }
}
