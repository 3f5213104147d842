// Reading passwords from real files, and never showing them.

import Foundation
import Testing

@testable import OutboxSettings

@Suite struct PasswordSourceTests {
    private let canary = "c4nary-Pässword"

    @Test("a password file is read without its line end", arguments: ["", "\n", "\r\n"])
    func file(lineEnd: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("smtp-password", (canary + lineEnd).utf8)
        #expect(try PasswordSource.file(path).read(environment: [:]).revealed == canary)
    }

    @Test("spaces belong to the password")
    func spaces() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("smtp-password", " a b \n".utf8)
        #expect(try PasswordSource.file(path).read(environment: [:]).revealed == " a b ")
    }

    @Test("a password file that others can read is refused", arguments: [0o644, 0o604, 0o777])
    func openFile(mode: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("smtp-password", canary.utf8, mode: mode)
        let error = try #require(throws: PasswordError.self) { try PasswordSource.file(path).read(environment: [:]) }
        #expect(
            error.description
                == "the password file \(path) can be read by every user of this machine; run: chmod 640 \(path)"
        )
    }

    @Test("a password file for owner and group is accepted", arguments: [0o400, 0o600, 0o640, 0o440])
    func closedFile(mode: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("smtp-password", canary.utf8, mode: mode)
        #expect(try PasswordSource.file(path).read(environment: [:]).revealed == canary)
    }

    @Test(
        "a file without a usable password is refused, and what is in it is not shown",
        arguments: [
            ("", "is empty; write it there as the only line"),
            ("\n", "is empty; write it there as the only line"),
            ("canary\ncanary\n", "contains a control character"),
            ("canary\n\n", "contains a control character"),
            ("canary\t", "contains a control character"),
            ("\u{0}canary", "contains a control character"),
            ("canary\u{85}", "contains a control character"),
            (String(repeating: "canary", count: 1000), "it is longer than 4096 bytes"),
        ]
    )
    func unusable(text: String, reason: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("smtp-password", text.utf8)
        let error = try #require(throws: PasswordError.self) { try PasswordSource.file(path).read(environment: [:]) }
        #expect(error.description.contains(reason), "\(error)")
        #expect(!error.description.contains("canary"))
        #expect(error.description.contains(path))
    }

    @Test("a password that is not UTF-8 is refused")
    func notText() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("smtp-password", [0x61, 0xFF])
        let error = try #require(throws: PasswordError.self) { try PasswordSource.file(path).read(environment: [:]) }
        #expect(error.description == "the password in \(path) is not UTF-8 text; write it again")
    }

    @Test("a missing file, a folder and a pipe are told apart, and a pipe is not waited for")
    func noFile() throws {
        let folder = try TemporaryFolder()
        let missing = "\(folder.path)/none"
        let pipe = "\(folder.path)/pipe"
        try #require(mkfifo(pipe, 0o600) == 0)
        let cases = [
            (missing, "there is no such file; create it with the password as its only line"),
            (folder.path, "it is not a regular file; name a file with the password as its only line"),
            (pipe, "it is not a regular file; name a file with the password as its only line"),
        ]
        for (path, reason) in cases {
            let error = try #require(throws: PasswordError.self) {
                try PasswordSource.file(path).read(environment: [:])
            }
            #expect(error.description == "the password cannot be read from \(path): \(reason)")
        }
    }

    @Test("a credential is read from systemd's folder, whatever its mode")
    func credential() throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("smtp-password", (canary + "\n").utf8, mode: 0o444)
        let environment = ["CREDENTIALS_DIRECTORY": folder.path]
        #expect(try PasswordSource.credential("smtp-password").read(environment: environment).revealed == canary)
    }

    @Test(
        "a credential outside of systemd says what to add to the unit",
        arguments: [[:], ["CREDENTIALS_DIRECTORY": ""]]
    )
    func noCredentials(environment: [String: String]) throws {
        let error = try #require(throws: PasswordError.self) {
            try PasswordSource.credential("smtp-password").read(environment: environment)
        }
        #expect(
            error.description
                == "the credential smtp-password is not available, because CREDENTIALS_DIRECTORY is not set; add "
                + "LoadCredential=smtp-password:PATH to the unit and start outboxd with systemd, or use password: "
                + "{file: PATH}"
        )
    }

    @Test("the error for a missing credential says what to add to the unit")
    func missingCredential() throws {
        let folder = try TemporaryFolder()
        let error = try #require(throws: PasswordError.self) {
            try PasswordSource.credential("other").read(environment: ["CREDENTIALS_DIRECTORY": folder.path])
        }
        #expect(
            error.description
                == "the password cannot be read from \(folder.path)/other: there is no such credential; add "
                + "LoadCredential=other:PATH to the unit"
        )
    }

    @Test(
        "a credential's name cannot leave the folder",
        arguments: ["../canary", "a/canary", "", ".", "..", "canary:b", "canary\n", "canäry"]
    )
    func credentialName(name: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.write("canary", canary.utf8)
        try FileManager.default.createDirectory(atPath: "\(folder.path)/a", withIntermediateDirectories: false)
        let error = try #require(throws: PasswordError.self) {
            try PasswordSource.credential(name).read(environment: ["CREDENTIALS_DIRECTORY": "\(folder.path)/a"])
        }
        #expect(error.description.hasPrefix("the credential's name is not one that systemd takes"))
        #expect(name.isEmpty || !error.description.contains("canary"))
    }

    @Test("the place of a password has a short description")
    func place() {
        #expect(PasswordSource.file("/etc/outboxd/smtp-password").place == "file /etc/outboxd/smtp-password")
        #expect(PasswordSource.credential("smtp-password").place == "credential smtp-password")
    }

    @Test("the place never shows a name that may be a password", arguments: ["can:ary", "can/ary", "canäry"])
    func placeOfNoName(name: String) {
        #expect(PasswordSource.credential(name).place == "credential")
    }

    @Test("no description, reflection or dump shows a password")
    func redacted() throws {
        struct Holder {
            let password: RelayPassword
            let more: [String: RelayPassword?]
        }
        let password = RelayPassword(canary)
        let holder = Holder(password: password, more: ["a": password])
        var dumped = ""
        dump(holder, to: &dumped)
        dump(password, to: &dumped)
        debugPrint(password, to: &dumped)
        var shown = [dumped, "\(password)", "\(holder)", String(reflecting: password), String(reflecting: holder)]
        shown.append(String(describing: Optional(password)))
        shown.append(String(describing: [password]))
        shown += Mirror(reflecting: password).children.map { "\($0)" }
        for text in shown {
            #expect(!text.contains(canary), "\(text)")
        }
        #expect("\(password)" == "<redacted>")
        #expect(Mirror(reflecting: password).children.isEmpty)
        #expect(password.revealed == canary)
    }
}
