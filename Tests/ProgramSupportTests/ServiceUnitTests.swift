// How `--check` reads the installed unit, and how it describes the database's place.

import Foundation
import OutboxStore
import ProgramSupport
import TestSupport
import Testing

@Suite("The installed unit")
struct ServiceUnitTests {
    private static func shipped() throws -> String {
        let tree = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: tree.appending(path: "systemd/outboxd.service.in"), encoding: .utf8)
    }

    @Test("as shipped runs as outboxd, loads no credential and may write only its state and cache folders")
    func shippedUnit() throws {
        let unit = ServiceUnit(texts: [try Self.shipped()])
        #expect(unit.user == "outboxd" && unit.credentials.isEmpty)
        #expect(unit.problem(of: "/var/lib/outboxd") == nil)
        #expect(unit.cacheFolder == "/var/cache/outboxd" && unit.problem(of: "/var/cache/outboxd") == nil)
        let elsewhere = try #require(unit.problem(of: "/srv/app"))
        #expect(elsewhere.contains("ReadWritePaths=-/srv/app") && elsewhere.contains("RequiresMountsFor=/srv/app"))
        #expect(unit.problem(of: "/var/lib/outboxd-old") != nil)
        #expect(unit.problem(of: "/home/app")?.contains("ProtectHome=") == true)
    }

    @Test("is changed by its drop-ins, in their order")
    func dropIns() throws {
        let unit = ServiceUnit(texts: [
            try Self.shipped(),
            """
            [Unit]
            User=nobody
            [Service]
            User = app
            LoadCredential=smtp-password:/etc/outboxd/smtp-password
            SetCredentialEncrypted=other: \\
                abc
            ReadWritePaths=-/srv/app +/srv/b
            """,
            "[Service]\nLoadCredential=\nLoadCredential=second:/etc/second\n",
        ])
        #expect(unit.user == "app")
        #expect(unit.credentials == [.init(name: "second", source: "/etc/second")])
        #expect(unit.opaqueCredentials == ["other"])
        #expect(unit.problem(of: "/srv/app/data") == nil && unit.problem(of: "/srv/b") == nil)
    }

    @Test("is found where systemd finds it, the operator's own first")
    func places() async throws {
        try await withFolder { folder in
            let (first, second) = (folder.appending(path: "etc"), folder.appending(path: "usr"))
            for place in [first, second] {
                let dropIns = place.appending(path: "outboxd.service.d")
                try FileManager.default.createDirectory(at: dropIns, withIntermediateDirectories: true)
            }
            #expect(ServiceUnit.installed(in: [first.path, second.path]) == nil)
            let file = second.appending(path: "outboxd.service")
            try "[Service]\nUser=a\n".write(to: file, atomically: true, encoding: .utf8)
            try "[Service]\nUser=b\n".write(
                to: first.appending(path: "outboxd.service.d/user.conf"),
                atomically: true,
                encoding: .utf8
            )
            let installed = try #require(ServiceUnit.installed(in: [first.path, second.path]))
            #expect(installed.path == file.path && installed.unit.user == "b")
        }
    }
}

@Suite("The database's place")
struct DatabasePlaceTests {
    @Test("is good if the folder is writable, also through a symbolic link")
    func good() async throws {
        try await withFolder { folder in
            let real = folder.appending(path: "real")
            try FileManager.default.createDirectory(at: real, withIntermediateDirectories: true)
            let link = folder.appending(path: "link.db")
            try FileManager.default.createSymbolicLink(at: link, withDestinationURL: real.appending(path: "outbox.db"))
            #expect(DatabasePlace.problem(folder.appending(path: "outbox.db").path) == nil)
            #expect(DatabasePlace.problem(link.path) == nil)
        }
    }

    @Test("names a folder that is missing, and one that is a file")
    func missing() async throws {
        try await withFolder { folder in
            let missing = folder.appending(path: "no/outbox.db").path
            #expect(DatabasePlace.problem(missing)?.contains("RequiresMountsFor=\(folder.path)/no") == true)
            let file = folder.appending(path: "file")
            try "".write(to: file, atomically: true, encoding: .utf8)
            #expect(DatabasePlace.problem(file.appending(path: "outbox.db").path) != nil)
            let failure = ProgramFailure(.folderUnusable(path: missing), databaseAt: missing)
            #expect(failure.status == 75 && failure.description.contains("there is no folder"))
        }
    }

    @Test("names the unit's lines if the mount is read-only", .enabled(if: getuid() == 0, "mounting needs root"))
    func readOnly() async throws {
        try await withFolder { folder in
            // In a mount namespace of its own, so that nothing stays mounted.
            let script = """
                mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$0" migrate --config "$2"
                """
            let configuration = folder.appending(path: "outboxd.yaml")
            let data = folder.appending(path: "data")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            try """
            database: \(data.path)/outbox.db
            sender: {address: no-reply@example.com}
            relays: [{url: "smtp://127.0.0.1:25", tls: none}]
            links: {verify-email: "https://example.com/?t={token}", reset-password: "https://example.com/?t={token}"}
            """.write(to: configuration, atomically: true, encoding: .utf8)
            let program = try Program.buildFolder.appending(path: "outboxctl").path
            let result = try await Program(
                URL(filePath: "/usr/bin/unshare"),
                ["--mount", "/bin/sh", "-c", script, program, data.path, configuration.path],
                in: folder
            ).result()
            #expect(result.exitCode == 75)
            #expect(result.errors.contains("ReadWritePaths=-\(data.path)"), "\(result.errors)")
            #expect(result.errors.contains("RequiresMountsFor=\(data.path)"))
        }
    }
}
