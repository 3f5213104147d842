// The built programs with a configuration of their own, as an operator would run them.

import Foundation
import TestSupport

/// A folder with a configuration, and the programs that run in it.
struct Installation {
    let folder: URL

    var database: String { folder.appending(path: "outbox.db").path }

    /// Writes the minimal configuration for a relay on loopback, plus further lines.
    ///
    /// - Parameters:
    ///   - relay: additional keys of the relay.
    ///   - sender: additional keys of the sender.
    ///   - database: the value of the key; `nil`: `outbox.db`, created by outboxd.
    func configure(
        port: Int = 2525,
        relay: String = "",
        sender: String = "",
        further: String = "",
        database: String? = nil
    ) throws {
        let text = """
            database: \(database ?? "{path: outbox.db, create: true}")
            sender: {name: Trend Cloud One, address: no-reply@cloudone.trendmicro.com\(sender)}
            relays: [{url: "smtp://127.0.0.1:\(port)", tls: none\(relay)}]
            links:
              verify-email: "https://cloudone.trendmicro.com/verify-email?token={token}"
              reset-password: "https://cloudone.trendmicro.com/reset-password?token={token}"
            \(further)
            """
        try text.write(to: folder.appending(path: "outboxd.yaml"), atomically: true, encoding: .utf8)
    }

    /// Starts one of our programs; an environment variable names the configuration.
    func start(
        _ program: String,
        _ arguments: [String] = [],
        input: String? = nil,
        environment: [String: String] = [:]
    ) throws -> Program {
        let configuration = ["OUTBOXD_CONFIG": folder.appending(path: "outboxd.yaml").path]
        return try Program(
            try Program.buildFolder.appending(path: program),
            arguments,
            in: folder,
            input: input,
            environment: configuration.merging(environment) { $1 }
        )
    }

    /// Starts outboxd as systemd does, with a cache folder.
    func startDaemonWithCache() throws -> Program {
        let cache = folder.appending(path: "cache")
        try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
        return try start("outboxd", environment: ["CACHE_DIRECTORY": cache.path])
    }

    /// Starts outboxd with its streams redirected by a shell's syntax, such as `2>&-`.
    func startDaemon(redirecting streams: String, environment: [String: String] = [:]) throws -> Program {
        let daemon = try Program.buildFolder.appending(path: "outboxd").path
        let configuration = ["OUTBOXD_CONFIG": folder.appending(path: "outboxd.yaml").path]
        return try Program(
            URL(filePath: "/bin/sh"),
            ["-c", "exec \"$0\" \(streams)", daemon],
            in: folder,
            environment: configuration.merging(environment) { $1 }
        )
    }

    /// Starts outboxd with a pipe as its standard error, which another program may or may not read.
    ///
    /// - Parameter reader: the program with its arguments; `{pid}` is replaced by outboxd's process id.
    func startDaemonIntoPipe(reader: String) throws -> Program {
        let daemon = try Program.buildFolder.appending(path: "outboxd").path
        return try Program(
            URL(filePath: "/usr/bin/python3"),
            [
                "-c",
                """
                import os, subprocess, sys
                r, w = os.pipe()
                reader = subprocess.Popen(sys.argv[1].format(pid=os.getpid()).split(), stdin=r, stdout=subprocess.DEVNULL, close_fds=True)
                os.close(r)
                if sys.argv[1] == "true":
                    reader.wait()
                os.set_inheritable(w, True)
                os.dup2(w, 2)
                # As a shell leaves it; Python ignores it.
                import signal
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                os.execv(sys.argv[2], [sys.argv[2]])
                """,
                reader, daemon,
            ],
            in: folder,
            environment: ["OUTBOXD_CONFIG": folder.appending(path: "outboxd.yaml").path]
        )
    }

    /// Copies the shipped templates to the folder `templates`, so that a test can change them.
    func copyTemplates() throws {
        let shipped = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "config/templates")
        try FileManager.default.copyItem(at: shipped, to: folder.appending(path: "templates"))
    }

    /// Changes the English subject of the copied kind verify-email.
    func replaceSubject(with subject: String) throws {
        let file = folder.appending(path: "templates/verify-email/en.mustache")
        let words = try String(contentsOf: file, encoding: .utf8)
        try words.replacing(/\{\{\$subject\}\}[^{]*/, with: "{{$subject}}\(subject)")
            .write(to: file, atomically: true, encoding: .utf8)
    }

    /// Starts a scriptable relay, which writes its port to the file `port` once it listens.
    func startRelay(_ arguments: String...) throws -> Program {
        try start("fake-smtp", ["--port", "0", "--port-file", "port"] + arguments)
    }

    /// Writes a file that only its owner may read or write.
    func write(_ text: String, to name: String) throws {
        let path = folder.appending(path: name).path
        let isWritten = FileManager.default.createFile(
            atPath: path,
            contents: Data(text.utf8),
            attributes: [.posixPermissions: NSNumber(value: 0o600)]
        )
        if !isWritten { throw CocoaError(.fileWriteUnknown) }
    }

    /// Waits until an application's query returns a value other than 0.
    func waitUntil(_ query: String) async throws {
        let result = try await python(
            """
            import sqlite3, sys, time
            db = sqlite3.connect(sys.argv[1], timeout=30)
            deadline = time.monotonic() + 60
            while not db.execute(sys.argv[2]).fetchone()[0]:
                if time.monotonic() > deadline:
                    sys.exit("waited in vain for " + sys.argv[2])
                time.sleep(0.05)
            """,
            query
        )
        if result.exitCode != 0 { throw WaitError(description: result.errors) }
    }

    /// A wait timed out.
    struct WaitError: Error, CustomStringConvertible {
        let description: String
    }

    /// Runs outboxctl to its end.
    func outboxctl(_ arguments: String..., input: String? = nil) async throws -> ProgramResult {
        try await start("outboxctl", arguments, input: input).result()
    }

    /// Runs an application's script with the database's path as its first argument.
    func python(_ script: String, _ arguments: String...) async throws -> ProgramResult {
        try await Program.python(script, [database] + arguments)
    }

    /// Waits until no message is open; polls like an application.
    func waitUntilNoneIsOpen() async throws -> ProgramResult {
        try await python(
            """
            import sqlite3, sys, time
            db = sqlite3.connect(sys.argv[1])
            deadline = time.monotonic() + 60
            while db.execute("SELECT count(*) FROM outbox_status WHERE finished_at IS NULL").fetchone()[0]:
                if time.monotonic() > deadline:
                    sys.exit("messages are still open")
                time.sleep(0.05)
            for row in db.execute("SELECT id, state, attempts FROM outbox_status ORDER BY id"):
                print(*row)
            """
        )
    }

    /// Waits until a program has completely written a file.
    func contents(of name: String) async throws -> String {
        let file = folder.appending(path: name).path
        let result = try await Program.python(
            """
            import os, sys, time
            deadline = time.monotonic() + 30
            while not os.path.exists(sys.argv[1]) and time.monotonic() < deadline:
                time.sleep(0.02)
            print(open(sys.argv[1]).read())
            """,
            [file]
        )
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Runs `body` in a folder of its own.
func withInstallation<Result>(_ body: (Installation) async throws -> Result) async throws -> Result {
    try await withFolder { try await body(Installation(folder: $0)) }
}
