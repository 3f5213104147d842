// Who the mails come from: the address and the name beside it.
// Never writes a header; encoding is for whoever composes the mail.

/// The sender of every mail, in the envelope (RFC 5321 §4.1.1.2) and in the From field (RFC 5322 §3.6.2).
package struct SenderSettings: Sendable, Equatable {
    /// The bare address, `local-part@domain` in ASCII, at most 254 octets.
    package var address: String
    /// The display name, 1 to 128 characters without control characters; nil sends the bare address.
    package var name: String?

    /// A sender; the arguments are taken as they are, the reader has checked them.
    package init(address: String, name: String? = nil) {
        self.address = address
        self.name = name
    }
}
