// The sender of every mail. Holds the configured values; checks nothing (MailComposer checks them at start).

/// The author of every mail: its `From` and the domain of its Message-ID.
package struct Sender: Sendable, Hashable {
    /// The name that mail programs show, such as `Trend Cloud One`; `nil`: the address alone.
    package let name: String?
    /// The mailbox, `local-part@domain`.
    package let address: String

    /// - Parameters:
    ///   - name: the display name, in any script; no control characters.
    ///   - address: the mailbox, without a display name.
    package init(name: String?, address: String) {
        self.name = name
        self.address = address
    }
}
