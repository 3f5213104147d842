// `outboxctl send-test` through a relay that repeats secrets in odd ways, or never stops sending.

import Foundation
import TestSupport
import Testing

@Suite("send-test through an odd relay", .timeLimit(.minutes(5)))
struct OddRelayTests {
    private static let password = "CANARY-p4ssword"

    /// A relay that repeats what it was sent, and floods. It writes its port to a file.
    private static let oddRelay = """
        import base64, socket, sys
        mode, secret = sys.argv[1:3]
        listener = socket.create_server(("127.0.0.1", 0))
        open("port.new", "w").write(str(listener.getsockname()[1]))
        import os; os.rename("port.new", "port")
        while True:
            connection = listener.accept()[0]
            lines, say = connection.makefile("rb"), lambda text: connection.sendall(text.encode("latin-1"))
            try:
                if mode == "flood at connect":
                    while True: say("\\r\\n" * 1000)
                say("220 relay\\r\\n")
                while line := lines.readline():
                    verb = line[:4].upper()
                    if verb == b"EHLO": say("250-relay\\r\\n250 AUTH CRAM-MD5\\r\\n")
                    elif verb == b"AUTH":
                        say("334 " + base64.b64encode(b"<1.2@relay>").decode() + "\\r\\n")
                        response = base64.b64decode(lines.readline()).decode()
                        say("535 5.7.8 bad " + response + "\\r\\n" if mode == "digest" else "235 ok\\r\\n")
                    elif verb == b"DATA":
                        say("354 go\\r\\n")
                        while lines.readline() != b".\\r\\n": pass
                        if mode == "garbled": say(f"you said {secret[:10]}\\r\\n{secret[10:]} indeed\\r\\n")
                        elif mode == "garbled after": say(f"250 \\u00E2\\u0080\\u00AEok\\r\\n{secret[:10]}\\r\\n{secret[10:]}\\r\\n")
                        else:
                            while True: say({"blank": "\\r\\n", "1yz": "150 wait\\r\\n", "endless": "250-a\\r\\n"}[mode] * 1000)
                    elif verb == b"QUIT": break
                    else: say("250 ok\\r\\n")
            except OSError: pass
            finally: connection.close()
        """

    @Test(
        "a relay that repeats a password in pieces, or the digest of one, and floods, shows nothing and takes no time",
        arguments: [
            ("digest", 78, "535 5.7.8 bad app [secret]"), ("garbled", 75, "answered with something that is no reply"),
            ("garbled after", 0, "S: 250  ok"), ("flood at connect", 75, "fault of the relay"),
            ("blank", 75, "answered with something that is no reply"), ("1yz", 75, "S: 150 wait"),
            ("endless", 75, "lines of this reply that are not shown: "),
        ]
    )
    func oddRelay(mode: String, exitCode: Int32, words: String) async throws {
        try await withInstallation { installation in
            try installation.write(Self.password, to: "password")
            let relay = try Program(
                URL(filePath: "/usr/bin/env"),
                ["python3", "-c", Self.oddRelay, mode, Self.password],
                in: installation.folder
            )
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(
                port: port,
                relay: ", user: app, password: {file: password}, connect_timeout: 20s"
            )
            let start = ContinuousClock.now
            let result = try await installation.outboxctl("send-test", "ann@example.com")
            #expect(ContinuousClock.now - start < .seconds(60))
            #expect(result.exitCode == exitCode && result.output.contains(words), "\(result)")
            #expect(result.output.utf8.count < 10_000)
            for part in ["CANARY", "S: sword", "sword indeed"] {
                #expect(!result.output.contains(part), "\(result.output)")
            }
            #expect(!result.output.unicodeScalars.contains("\u{202E}"))
            if mode == "digest" { #expect(!result.output.contains(#/535[^\n]*[0-9a-f]{12}/#), "\(result.output)") }
            // Foundation starts it with SIGTERM blocked.
            relay.kill()
            _ = try await relay.result()
        }
    }
}
