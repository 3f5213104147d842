// The form of the sender's address.
// Never asks whether the mailbox exists.

import InternetMessage

/// Checks `sender.address`: `Mailbox` decides what a mail address is, and two further restrictions apply to a sender.
enum SenderAddress {
    /// Returns the address for the envelope and the header, with an international domain in A-labels.
    ///
    /// A non-ASCII local part is refused, because every relay would have to offer SMTPUTF8. So are dots where RFC 5321
    /// §4.1.2 forbids them.
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
