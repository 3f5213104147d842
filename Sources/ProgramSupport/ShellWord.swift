// Quotes text for display in a command line. Never runs a command.

extension String {
    /// The text as one word of a POSIX shell (XCU §2.2.2): between single quotes, every character except the quote
    /// stands for itself. A recipient's address may contain backticks and dollar signs (RFC 5322 §3.2.3), and operators
    /// copy the commands that we show.
    package var quotedForShell: String { "'" + replacing("'", with: "'\\''") + "'" }
}
