// The commands and warnings for people who make mails, with the built programs.

import Foundation
import TestSupport
import Testing

@Suite("Tools for templates", .timeLimit(.minutes(5)))
struct TemplateToolTests {
    /// A layout of one's own with four faults.
    private static let faulty = """
        <html lang="en"><body><div style="padding: 20px; display: flex; color: #aaaaaa">{{recipient}}
        <img src="https://www.example.com/x.png" width="20"></div></body></html>
        """

    private static func addFaultyKind(_ installation: Installation) throws {
        try installation.copyTemplates()
        let folder = installation.folder.appending(path: "templates/notice/en")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in [("subject.txt", "Notice"), ("body.txt", "{{recipient}}"), ("body.html", faulty)] {
            try text.write(to: folder.appending(path: "\(name).mustache"), atomically: true, encoding: .utf8)
        }
    }

    @Test("lint-templates names each fault with kind, locale, line and source, and its exit code is 1")
    func lint() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let shipped = try await installation.outboxctl("lint-templates")
            #expect(shipped.exitCode == 0 && shipped.output == "30 mails checked, no warnings\n", "\(shipped)")
            let notes = try await installation.outboxctl("lint-templates", "--notes")
            #expect(notes.exitCode == 0 && notes.output.contains("note: border-radius"))

            try Self.addFaultyKind(installation)
            try installation.configure(port: 2525, further: "templates: templates")
            let found = try await installation.outboxctl("lint-templates")
            #expect(found.exitCode == 1)
            for words in [
                "warning: padding: 20px on <div> does nothing in Outlook for Windows: put it on a td\n    in notice en, line 1\n",
                "    https://www.caniemail.com/features/css-padding/, 2019-07-25\n", "display: flex on <div>",
                "<img> without alt", "#aaaaaa on #ffffff has a contrast of 2.32:1", "no element within <body> has lang",
                "31 mails checked, 5 warnings\n",
            ] {
                #expect(found.output.contains(words), "\(words)\n\(found.output)")
            }
            let check = try await installation.start("outboxd", ["--check"]).result()
            #expect(check.exitCode == 0 && check.output.contains("5 template warnings: see outboxctl lint-templates"))
        }
    }

    @Test("outboxd warns at start, after a reload of what is new, and delivers")
    func warnings() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay()
            let port = try #require(Int(try await installation.contents(of: "port")))
            try Self.addFaultyKind(installation)
            try installation.configure(port: port, further: "templates: templates")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            _ = try await installation.outboxctl("enqueue", "notice", "ann@example.com", input: "t")
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n")
            let words =
                "some mail programs don't show a mail as meant detail=\"display: flex on <div> does nothing in Outlook"
            try await Self.wait(for: words, count: 1, in: daemon)
            // A reload without a change, and one with a new fault, whose text is the template's.
            daemon.hangUp()
            try await Self.wait(for: "were read again", count: 1, in: daemon)
            let link = "<a href=\"https://u:secret@h.example/secret/\nerror: \u{1B}[31m\">x</a></body>"
            try Self.faulty.replacing("</body>", with: link).write(
                to: installation.folder.appending(path: "templates/notice/en/body.html.mustache"),
                atomically: true,
                encoding: .utf8
            )
            daemon.hangUp()
            let new = "detail=\"the link to https://h.example/… "
            try await Self.wait(for: new, count: 1, in: daemon)
            daemon.terminate()
            let result = try await daemon.result()
            #expect(result.exitCode == 0)
            #expect(result.errors.components(separatedBy: words).count == 2, "\(result.errors)")
            #expect(!result.errors.contains("secret") && !result.errors.contains("\u{1B}"), "\(result.errors)")
            relay.terminate()
            _ = try await relay.result()
        }
    }

    private static func wait(for words: String, count: Int, in program: Program) async throws {
        while try program.errorsSoFar().components(separatedBy: words).count <= count {
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test("a stranger's name is mailed harmless, and the log says so once for each variable, without the value")
    func changedValues() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            let port = try #require(Int(try await installation.contents(of: "port")))
            let folder = installation.folder.appending(path: "templates/invite/en")
            try installation.copyTemplates()
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in [
                ("en/subject.txt.mustache", "Join {{team}}"),
                ("en/body.txt.mustache", "{{name}} invites you to {{team}}"),
                (
                    "en/body.html.mustache",
                    "<html lang=\"en\"><body><p lang=\"en\">{{name}} invites you</p></body></html>"
                ),
                ("sample.json", #"{"variables": {"team": {"sample": "Blue"}, "name": {"sample": "Ann"}}}"#),
            ] {
                let file = folder.deletingLastPathComponent().appending(path: name)
                try text.write(to: file, atomically: true, encoding: .utf8)
            }
            try installation.configure(port: port, further: "templates: templates")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let added = try await installation.python(
                """
                import json, sqlite3, sys
                with sqlite3.connect(sys.argv[1]) as db:
                    for name in ("http://evil.example/a", "http://evil.example/b", "O'Brien"):
                        db.execute("INSERT INTO outbox (kind, recipient, account, variables) VALUES ('invite', ?, ?, ?)",
                                   (name[-1] + "@example.com", name, json.dumps({"name": name, "team": name})))
                """
            )
            #expect(added.exitCode == 0, "\(added.errors)")
            let daemon = try installation.start("outboxd")
            let ended = try await installation.waitUntilNoneIsOpen()
            #expect(ended.output == "1 accepted 1\n2 accepted 1\n3 accepted 1\n", "\(ended)")
            daemon.terminate()
            let errors = try await daemon.result().errors
            let lines = errors.split(separator: "\n").filter { $0.contains("a value was changed before it was mailed") }
            let variables = lines.compactMap { $0.split(separator: " ").last }
            #expect(variables.sorted() == ["variable=name", "variable=team"], "\(lines)")
            #expect(!errors.contains("evil"))
            let mails = try FileManager.default.contentsOfDirectory(
                atPath: installation.folder.appending(path: "received").path
            )
            #expect(mails.count == 3)
            for name in mails {
                let mail = try await installation.contents(of: "received/\(name)")
                #expect(
                    !mail.contains("evil.example") && (mail.contains("evil. example") || mail.contains("O'Brien")),
                    "\(mail)"
                )
            }
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a page shows every kind and locale, whole and reduced, and what can't be done is said")
    func page() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let all = try await installation.outboxctl("preview", "--all", "all.html")
            #expect(all.exitCode == 0 && all.output == "wrote all.html\n", "\(all)")
            let page = try await installation.contents(of: "all.html")
            #expect(page.components(separatedBy: "<iframe ").count == 1 + 30 * 4)
            #expect(page.components(separatedBy: "<h2 ").count == 1 + 30)
            for words in ["Reset your password", "パスワード", "light, 320 px", "dark, 600 px", "Message-ID:", " octets"] {
                #expect(page.contains(words), "\(words)")
            }
            let one = try await installation.outboxctl(
                "preview",
                "verify-email",
                "--all",
                "one.html",
                "--locale",
                "ja",
                "--client",
                "gmail-no-style"
            )
            #expect(one.exitCode == 0, "\(one)")
            let reduced = try await installation.contents(of: "one.html")
            #expect(reduced.components(separatedBy: "<iframe ").count == 1 + 4)
            #expect(!reduced.contains(":root {") && page.contains(":root {"))

            for (arguments, words, code) in [
                (["preview"], "name a kind of mail, or give --all FILE.html", 64),
                (["preview", "--all", "verify-email"], "needs the name of a file that ends in .html", 64),
                (["preview", "verify-email", "--open"], "give --all FILE.html, too", 64),
                (["preview", "verify-email", "--client", "yahoo"], "give --part html, or --all", 64),
                (["preview", "--all", "x.html", "--part", "text"], "leave --part out", 64),
                (
                    ["preview", "--all", "x.html", "--client", "lotus"],
                    "the clients are outlook, yahoo, gmail-no-style, no-css", 64
                ),
                (["preview", "--all", "none/x.html"], "'none/x.html' can't be written: No such file or directory", 73),
                (["preview", "--all", "x.html", "--open"], "there is no display here: copy x.html", 69),
            ] {
                let failed = try await Program(
                    try Program.buildFolder.appending(path: "outboxctl"),
                    arguments,
                    in: installation.folder,
                    environment: [
                        "OUTBOXD_CONFIG": installation.folder.appending(path: "outboxd.yaml").path,
                        "DISPLAY": "", "WAYLAND_DISPLAY": "",
                    ]
                ).result()
                #expect(failed.exitCode == code && failed.errors.contains(words), "\(arguments) \(failed)")
            }
        }
    }
}
