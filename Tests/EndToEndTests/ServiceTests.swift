// outboxd as a service: its messages to the service manager, reloads, and events that must not end it.

import Foundation
import TestSupport
import Testing

@Suite("As a service", .timeLimit(.minutes(10)))
struct ServiceTests {
    /// A relay, a configuration and a daemon with a service manager's socket.
    private func withService(
        further: String = "",
        environment: [String: String] = [:],
        _ body: (Installation, Program, NotifySocket) async throws -> Void
    ) async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--ledger", "ledger.jsonl")
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.copyTemplates()
            try installation.configure(port: port, further: "templates: templates\n\(further)")
            let socket = try NotifySocket("@outboxd-\(UUID().uuidString)")
            var environment = environment
            environment["NOTIFY_SOCKET"] = socket.address
            let daemon = try installation.startDaemon(redirecting: "", environment: environment)
            try await socket.first(containing: "READY=1")
            try await body(installation, daemon, socket)
            daemon.terminate()
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("it reports readiness, state, signs of life, reloads and its stop")
    func notifications() async throws {
        try await withService(environment: ["WATCHDOG_USEC": "400000"]) { installation, daemon, socket in
            try await socket.first(containing: "STATUS=no message waits to be sent; relay 127.0.0.1:")
            // No mail is sent and no commit happens: only the dispatcher's own rounds feed the watchdog, more than
            // once.
            try await socket.first(containing: "WATCHDOG=1")
            try await socket.first(containing: "WATCHDOG=1")
            daemon.hangUp()
            let reloading = try await socket.first(containing: "RELOADING=1")
            #expect(reloading.contains("\nMONOTONIC_USEC="))
            try await socket.first(containing: "READY=1")
            daemon.terminate()
            try await socket.first(containing: "STOPPING=1")
            #expect(try await daemon.result().exitCode == 0)
        }
    }

    @Test("a reload takes configuration and templates, and names the keys that need a restart")
    func reload() async throws {
        try await withService(further: "lease: 60s") { installation, daemon, socket in
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.replaceSubject(with: "Another subject")
            try installation.configure(
                port: port,
                sender: ", envelope_from: \"bounces+{id}@example.com\"",
                further: "templates: templates\nlease: 30s\nguidance: {patience: 10s}\nlog: {level: debug}"
            )
            daemon.hangUp()
            try await socket.first(containing: "restart outboxd for the changed lease")
            try await socket.first(containing: "READY=1")
            _ = try await installation.outboxctl("enqueue", "verify-email", "ann@example.com", input: "t")
            _ = try await installation.waitUntilNoneIsOpen()
            let ledger = try await installation.contents(of: "ledger.jsonl")
            #expect(ledger.contains("bounces+"))
            try await installation.waitUntil("SELECT patience = 10000 FROM outbox_guidance")
            daemon.terminate()
            let ended = try await daemon.result()
            #expect(ended.exitCode == 0)
            let errors = ended.errors
            #expect(errors.contains("needs.restart=lease"), "\(errors)")
            #expect(errors.contains("debug: messages claimed"))
        }
    }

    @Test("with one broken template the old templates and configuration stay, and status and log say so")
    func refusedReload() async throws {
        try await withService { installation, daemon, socket in
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.replaceSubject(with: "Another subject")
            try installation.write("{{nothing}}\n", to: "templates/partials/address.txt.mustache")
            try installation.configure(
                port: port,
                sender: ", envelope_from: \"bounces+{id}@example.com\"",
                further: "templates: templates\nguidance: {patience: 10s}"
            )
            daemon.hangUp()
            let status = try await socket.first(containing: "reload refused at")
            #expect(status.contains("the old configuration is in use") && status.contains("address.txt.mustache:1"))
            try await socket.first(containing: "READY=1")
            _ = try await installation.outboxctl("enqueue", "verify-email", "ann@example.com", input: "t")
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n")
            #expect(!(try await installation.contents(of: "ledger.jsonl")).contains("bounces+"))
            try await installation.waitUntil("SELECT patience = 300000 FROM outbox_guidance")
            // The refused reload stays in the status, together with the state of delivery.
            #expect(socket.rest().filter { $0.hasPrefix("STATUS=") }.allSatisfy { $0.contains("reload refused at") })

            try FileManager.default.removeItem(at: installation.folder.appending(path: "templates"))
            try installation.copyTemplates()
            daemon.hangUp()
            try await socket.first(containing: "RELOADING=1")
            while try await socket.first(containing: "STATUS=").contains("reload refused") {}
            daemon.terminate()
            let ended = try await daemon.result()
            #expect(ended.exitCode == 0)
            #expect(
                ended.errors.contains("reload refused; the old configuration, templates and passwords stay")
            )
        }
    }

    @Test("a SIGHUP during the start does not end outboxd, and an early one causes a reload")
    func earlyHangUp() async throws {
        for milliseconds in [0, 5, 10, 20, 40, 80, 160, 320] {
            try await withInstallation { installation in
                try installation.configure(port: 2525)
                let socket = try NotifySocket("@outboxd-\(UUID().uuidString)")
                // The shell waits until its own program runs: before that, the test can't hold the signal.
                let daemon = try installation.startDaemon(
                    redirecting: "",
                    environment: ["NOTIFY_SOCKET": socket.address]
                )
                try await daemon.waitUntilItHolds(signal: SIGHUP, as: "outboxd")
                try await Task.sleep(for: .milliseconds(milliseconds))
                daemon.hangUp()
                try await socket.first(containing: "READY=1")
                try await socket.first(containing: "RELOADING=1")
                daemon.terminate()
                #expect(try await daemon.result().exitCode == 0)
            }
        }
    }

    @Test(
        "a standard error that is full, closed, or read by nobody any more ends nothing",
        arguments: ["2>/dev/full", "2>&-", "0<&- 1>&- 2>&-", "| true"]
    )
    func standardError(redirection: String) async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay()
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, further: "log: {level: trace}")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let isPipe = redirection.contains("|")
            let daemon =
                try isPipe
                ? installation.startDaemonIntoPipe(reader: "true")
                : installation.startDaemon(redirecting: redirection)
            for number in 1...3 {
                _ = try await installation.outboxctl("enqueue", "verify-email", "p\(number)@example.com", input: "t")
            }
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n2 accepted 1\n3 accepted 1\n")
            // No database and no connection has the number of an output stream.
            if redirection.contains("2>&-") { #expect(try daemon.file(of: 2) == "/dev/null") }
            if redirection.contains("1>&-") { #expect(try daemon.file(of: 1) == "/dev/null") }
            // The log was not written into another file.
            let intact = try await installation.python(
                """
                import sqlite3, sys
                print(sqlite3.connect(sys.argv[1]).execute("PRAGMA integrity_check").fetchone()[0])
                """
            )
            #expect(intact.output == "ok\n")
            daemon.hangUp()
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a stalled reader of standard error does not delay mail")
    func stuckReader() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay()
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, further: "log: {level: trace}")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.startDaemonIntoPipe(reader: "tail --pid={pid} -f /dev/null")
            // More lines than fit into a pipe (64 KiB).
            let enqueued = try await installation.python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                db.executemany("INSERT INTO outbox(kind, recipient, token) VALUES ('verify-email', ?, 't')",
                    [(f"p{n}@example.com",) for n in range(2000)])
                db.commit()
                """
            )
            #expect(enqueued.exitCode == 0, "\(enqueued.errors)")
            let states = try await installation.waitUntilNoneIsOpen()
            #expect(states.output.split(separator: "\n").count { $0.hasSuffix(" accepted 1") } == 2000)
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a program that can't write its error still ends with its exit code")
    func failureUnsaid() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525, further: "give_up_aftr: 5m")
            for streams in ["2>/dev/full", "2>&-"] {
                #expect(try await installation.startDaemon(redirecting: streams).result().exitCode == 78)
            }
        }
    }

    @Test("a missing folder ends the start with 75 and a remedy")
    func missingFolder() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525, database: "later/outbox.db")
            let result = try await installation.start("outboxd").result()
            #expect(result.exitCode == 75)
            #expect(result.errors.contains("there is no folder \(installation.folder.path)/later"), "\(result.errors)")
            #expect(result.errors.contains("RequiresMountsFor="))
        }
    }
}
