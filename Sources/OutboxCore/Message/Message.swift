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
    /// The secret in the mail's link: given by the application, or minted. `nil` where the row has none and no
    /// configured key may mint it.
    package let token: Token?
    /// The digits that a person can type instead of opening the link; `nil` where the kind's mails show none.
    package let code: Token?
    /// Why token or code could not be minted, where the mail needs them.
    package let missingTokenKey: MissingTokenKey?
    /// The language tag that the application asked for (BCP 47), such as `ja-JP`; `nil` means the default language.
    package let locale: String?
    /// The name of the person's time zone (IANA), such as `Europe/Berlin`; `nil` if the application does not know it.
    /// It may be a name that no time zone has.
    package let timeZone: String?
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
    /// When the token stops working, as the mail says it. `nil` means no limit of its own.
    package let expiresAt: Timestamp?
    /// How long the token works from the attempt on that hands the mail over; `nil` where the application gave
    /// `expires_at` or no limit.
    package let validFor: Duration?
    /// Whether `expiresAt` stays: it is the application's, or a mail with it may have been handed over.
    package let isExpiryFixed: Bool
    /// When the first attempt began, or with `validFor` the attempt from which the token's time counts. The mail's date
    /// uses this time, because all attempts after one that may have been seen send the same bytes.
    package let firstAttemptAt: Timestamp

    /// Creates a message from the columns of the same names. If there was no attempt yet, the request's time is used.
    ///
    /// - Parameter isExpiryFixed: `nil` means that only an expiry from `validFor` is not fixed.
    package init(
        id: Int64,
        kind: String,
        recipient: String,
        token: Token?,
        code: Token? = nil,
        missingTokenKey: MissingTokenKey? = nil,
        locale: String? = nil,
        timeZone: String? = nil,
        account: String? = nil,
        variables: String = "{}",
        envelopeID: String,
        requestedAt: Timestamp,
        notBefore: Timestamp? = nil,
        expiresAt: Timestamp? = nil,
        validFor: Duration? = nil,
        isExpiryFixed: Bool? = nil,
        firstAttemptAt: Timestamp? = nil
    ) {
        self.id = id
        self.kind = kind
        self.recipient = recipient
        self.token = token
        self.code = code
        self.missingTokenKey = missingTokenKey
        self.locale = locale
        self.timeZone = timeZone
        self.account = account
        self.variables = variables
        self.envelopeID = envelopeID
        self.requestedAt = requestedAt
        self.notBefore = notBefore
        self.expiresAt = expiresAt
        self.validFor = validFor
        self.isExpiryFixed = isExpiryFixed ?? (validFor == nil)
        self.firstAttemptAt = firstAttemptAt ?? requestedAt
    }

    /// The moment after which the mail is never sent; `nil` where only the retry schedule limits it. A token whose time
    /// has not begun can't expire.
    package var deadline: Timestamp? { isExpiryFixed ? expiresAt : nil }

    /// The secrets that a peer could repeat.
    package var secrets: [String] { [token, code].compactMap { $0?.secret } }

    /// When the person began to wait for the mail: at the request, or at `not_before` where the application asked to
    /// wait.
    package var awaitedFrom: Timestamp { max(requestedAt, notBefore ?? requestedAt) }
}

/// A key that `tokens` in the configuration lacks.
package enum MissingTokenKey: Sendable, Hashable {
    /// No key is configured.
    case notConfigured
    /// An earlier attempt used the key with this id, and every attempt sends the same token.
    case unknown(id: String)
}
