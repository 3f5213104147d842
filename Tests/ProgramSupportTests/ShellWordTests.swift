// How a shell reads an address that is shown as part of a command.

import Foundation
import ProgramSupport
import Testing

@Suite("A word for the shell") struct ShellWordTests {
    @Test(
        "is the text itself to a shell, whatever it holds",
        arguments: [
            "ann@example.org", "`echo x`@example.org", "$(echo x)$HOME@example.org", "o'hara@example.org", "'", "",
            "a b;c|d&e\\f\"g*@example.org", "';echo x;'@example.org",
        ]
    )
    func quoted(text: String) throws {
        let shell = Process()
        let output = Pipe()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", "printf %s \(text.quotedForShell)"]
        shell.standardOutput = output
        try shell.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        shell.waitUntilExit()
        #expect(String(decoding: data, as: UTF8.self) == text)
    }
}
