// The shape of the sender's address.
// Never asks whether the mailbox exists.

import InternetMessage

/// Checks `sender.address`: what is a mail address at all, `Mailbox` says; two of those are not for a sender.
enum SenderAddress {
    /// Returns the address as the envelope and the header take it, an international domain in its A-labels.
    ///
    /// A local part outside ASCII is refused, because every relay would have to offer SMTPUTF8, and so are dots where
    /// RFC 5321 §4.1.2 has none.
    static func checked(_ text: String) throws(InvalidSetting) -> String {
        let mailbox: Mailbox
        do throws(InvalidMailbox) {
            mailbox = try Mailbox(text)
        } catch {
            let isNamed = error == .notBare && text.contains("<")
            throw .expected(error.expected, hint: isNamed ? nameHint : nil)
        }
        guard !mailbox.needsSMTPUTF8 else { throw .expected("an address in ASCII before the @") }
        guard mailbox.isDotString else { throw .expected("single dots before the @, none of them at an end") }
        return mailbox.address
    }

    private static let nameHint = "the name beside it has a key of its own, sender.name"
}
