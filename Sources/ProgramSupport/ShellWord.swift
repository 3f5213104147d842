// Text that is shown as part of a command line. Never runs one.

extension String {
    /// As one word of a POSIX shell (XCU §2.2.2), whatever it holds: between single quotes every character but the quote
    /// stands for itself. A recipient's address may have backticks and dollar signs (RFC 5322 §3.2.3), and whoever
    /// operates outboxd copies what is shown.
    package var quotedForShell: String { "'" + replacing("'", with: "'\\''") + "'" }
}
