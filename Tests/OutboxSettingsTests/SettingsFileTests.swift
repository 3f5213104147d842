// Finding and loading the file: the chosen path, and the errors when it cannot be read.

import Foundation
import Testing

@testable import OutboxSettings

@Suite struct SettingsFileTests {
    @Test("--config comes before OUTBOXD_CONFIG, which comes before /etc/outboxd/outboxd.yaml")
    func locate() {
        let environment = ["OUTBOXD_CONFIG": "/srv/b.yaml"]
        #expect(SettingsFile.locate(option: "a.yaml", environment: environment) == "a.yaml")
        #expect(SettingsFile.locate(option: nil, environment: environment) == "/srv/b.yaml")
        #expect(SettingsFile.locate(option: nil, environment: [:]) == "/etc/outboxd/outboxd.yaml")
        #expect(SettingsFile.locate(option: nil, environment: ["OUTBOXD_CONFIG": ""]) == "/etc/outboxd/outboxd.yaml")
    }

    @Test("relative paths start at the folder of the file")
    func relativePaths() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("outboxd.yaml", Fixture.minimal.utf8)
        #expect(try SettingsFile.load(file).database.path == "\(folder.path)/outbox.db")
    }

    @Test("the folder of a relative file starts at the current folder")
    func relativeFile() throws {
        let current = FileManager.default.currentDirectoryPath
        #expect(try SettingsFile.read(Fixture.minimal, file: "a.yaml").database.path == "\(current)/outbox.db")
        #expect(try SettingsFile.read(Fixture.minimal, file: "x/a.yaml").database.path == "\(current)/x/outbox.db")
        #expect(try SettingsFile.read(Fixture.minimal, file: "/a.yaml").database.path == "/outbox.db")
    }

    @Test("the error for a missing file names it and the remedy")
    func missing() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/none.yaml"
        let error = try #require(throws: SettingsError.self) { try SettingsFile.load(path) }
        #expect(
            error.description
                == "\(path): there is no such file; create it, or name another file with --config FILE or the variable "
                + "OUTBOXD_CONFIG"
        )
    }

    @Test("a folder is not a file")
    func folderInstead() throws {
        let folder = try TemporaryFolder()
        let error = try #require(throws: SettingsError.self) { try SettingsFile.load(folder.path) }
        #expect(
            error.description
                == "\(folder.path): this is not a file; name another file with --config FILE or the variable "
                + "OUTBOXD_CONFIG"
        )
    }

    @Test("a file of more than 1 MiB is not read")
    func tooLarge() throws {
        let folder = try TemporaryFolder()
        let comment = "#" + String(repeating: "x", count: (1 << 20) - Fixture.minimal.utf8.count - 2) + "\n"
        let largest = try folder.write("largest.yaml", (comment + Fixture.minimal).utf8)
        #expect(try SettingsFile.load(largest).sender.address == "no-reply@cloudone.trendmicro.com")

        let path = try folder.write("larger.yaml", (comment + Fixture.minimal + "\n").utf8)
        let error = try #require(throws: SettingsError.self) { try SettingsFile.load(path) }
        #expect(error.description.contains("the file is larger than 1048576 bytes"))
    }

    @Test("an endless device ends at the limit")
    func endless() throws {
        let error = try #require(throws: SettingsError.self) { try SettingsFile.load("/dev/zero") }
        #expect(error.description.contains("the file is larger than 1048576 bytes"))
    }

    @Test("a file in another encoding is refused")
    func notUTF8() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("outboxd.yaml", [0x61, 0x3A, 0x20, 0xFC, 0x0A])
        let error = try #require(throws: SettingsError.self) { try SettingsFile.load(path) }
        #expect(error.description == "\(path): the file is not UTF-8 text; save it in UTF-8")
    }

    @Test("a byte order mark and Windows line ends do no harm")
    func windowsFile() throws {
        let text = "\u{FEFF}" + Fixture.minimal.replacing("\n", with: "\r\n")
        #expect(try Fixture.read(text) == (try Fixture.read(Fixture.minimal)))
    }
}
