// Who the mails come from: the address, the name beside it, and where reports about the mails go.
// Never writes a header; encoding is for whoever composes the mail.

/// The sender of every mail, in the From field (RFC 5322 §3.6.2) and in the envelope (RFC 5321 §4.1.1.2).
package struct SenderSettings: Sendable, Equatable {
    /// The bare address, `local-part@domain` in ASCII, at most 254 octets.
    package var address: String
    /// The display name, 1 to 128 characters without control characters; nil sends the bare address.
    package var name: String?
    /// The template of the address in the envelope; nil puts `address` there.
    package var envelopeFrom: EnvelopeSenderTemplate?

    /// A sender; the arguments are taken as they are, the reader has checked them.
    package init(address: String, name: String? = nil, envelopeFrom: EnvelopeSenderTemplate? = nil) {
        self.address = address
        self.name = name
        self.envelopeFrom = envelopeFrom
    }
}
