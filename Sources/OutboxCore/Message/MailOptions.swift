// What an operator may add to every mail: pages for help, a company, a mark. Invents none of it, and fetches nothing.

import Foundation
import InternetMessage

/// The optional values of the configuration that mails show, or have in their header.
package struct MailOptions: Sendable, Hashable {
    /// The address that replies go to (`Reply-To`, RFC 5322 §3.6.2); `nil`: the mail says that nobody reads replies.
    package var replyTo: String?
    /// One line about the company, such as its name and address.
    package var company: String?
    /// A page with help.
    package var help: PageAddress?
    /// For a kind of mail: the page where a person requests it again.
    package var askAgain: [String: PageAddress] = [:]
    /// For a kind of mail: the field `Feedback-ID`, by which Gmail counts complaints.
    package var feedbackIDs: [String: FeedbackID] = [:]
    /// A picture in place of the sender's name.
    package var logo: PageAddress?
    /// The colour of the button.
    package var color = BrandColor.standard

    /// Creates options without any addition.
    package init() {}
}

/// An absolute https URL that stands in a mail as it is.
package struct PageAddress: Sendable, Hashable {
    /// The URL, in ASCII.
    package let text: String

    /// Checks a URL.
    package init(_ text: String) throws(InvalidLink) {
        let example = "a URL that begins with https://, such as https://example.com/help"
        guard text.utf8.count <= 2000,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"\"'<>\\^`{|}".utf8.contains($0) })
        else { throw .expected(example, hint: "percent-encode what is not allowed in a URL") }
        guard let url = URLComponents(string: text, encodingInvalidCharacters: false), url.scheme == "https",
            let host = url.host, DomainName.isHostName(host)
        else { throw .expected(example) }
        guard url.user == nil, url.password == nil else {
            throw .refused("a user name or password does not belong in a link that is mailed; remove it")
        }
        self.text = text
    }
}

/// The value of the field `Feedback-ID`: one to four names with colons between them, of which the last one is the
/// sender's (Gmail's "Feedback Loop").
package struct FeedbackID: Sendable, Hashable {
    /// The field's value.
    package let text: String

    /// Checks a value; `nil` if it does not have this form.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isName = { (part: Substring) in
            part.utf8.allSatisfy { $0.isASCIILetterOrDigit || "._-".utf8.contains($0) }
        }
        guard (1...4).contains(parts.count), text.utf8.count <= 64, parts.allSatisfy(isName),
            let sender = parts.last, (5...15).contains(sender.utf8.count)
        else { return nil }
        self.text = text
    }
}
