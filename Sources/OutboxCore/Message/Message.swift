// One row of the outbox as delivery sees it. Holds the application's values; never the progress of delivery.

/// One mail to one recipient: the row that an application inserted into the table `outbox`.
///
/// A mail is rendered from these values and the configuration alone, so that every attempt sends the same bytes.
package struct Message: Sendable, Hashable {
    /// The row's `id`.
    package let id: Int64
    /// Which mail it is: the name of a folder of templates, such as `verify-email`.
    package let kind: String
    /// The recipient's mailbox, `local-part@domain` (RFC 5321 §4.1.2), without a display name.
    package let recipient: String
    /// The secret in the mail's link.
    package let token: Token
    /// The language tag that the application asked for (BCP 47), such as `ja-JP`; `nil` means the default language.
    package let locale: String?
    /// The application's own opaque key for the person.
    package let account: String?
    /// Further values for the templates: the text of a JSON object.
    package let variables: String
    /// An identifier that the schema creates, half of it random. It identifies the mail to other mail systems
    /// (Message-ID).
    package let envelopeID: String
    /// When the application inserted it.
    package let requestedAt: Timestamp
    /// The mail is not sent before this time; `nil` means at once.
    package let notBefore: Timestamp?
    /// When the token stops working. The mail is never sent after it. `nil` means no limit of its own.
    package let expiresAt: Timestamp?
    /// When the first attempt began. The mail's date uses this time, because all attempts send the same bytes.
    package let firstAttemptAt: Timestamp

    /// Creates a message from the columns of the same names. If there was no attempt yet, the request's time is used.
    package init(
        id: Int64,
        kind: String,
        recipient: String,
        token: Token,
        locale: String? = nil,
        account: String? = nil,
        variables: String = "{}",
        envelopeID: String,
        requestedAt: Timestamp,
        notBefore: Timestamp? = nil,
        expiresAt: Timestamp? = nil,
        firstAttemptAt: Timestamp? = nil
    ) {
        self.id = id
        self.kind = kind
        self.recipient = recipient
        self.token = token
        self.locale = locale
        self.account = account
        self.variables = variables
        self.envelopeID = envelopeID
        self.requestedAt = requestedAt
        self.notBefore = notBefore
        self.expiresAt = expiresAt
        self.firstAttemptAt = firstAttemptAt ?? requestedAt
    }

    /// When the person began to wait for the mail: at the request, or at `not_before` where the application asked to
    /// wait.
    package var awaitedFrom: Timestamp { max(requestedAt, notBefore ?? requestedAt) }
}
