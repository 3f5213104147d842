// How many mails a connection carries: by the configuration, by the relay's words, and as learnt. Pure.

/// The maximum number of mails on one connection.
struct MailsPerConnection {
    private let configured: Int
    /// The relay's limit, after it has refused another mail on two connections with the same number of mails.
    private(set) var learnt: Int?
    private var refusedAfter: Int?

    /// - Parameter configured: the setting `messages_per_connection`.
    init(configured: Int) { self.configured = configured }

    /// The limit of a connection.
    ///
    /// - Parameter offered: the relay's own statement over this connection (RFC 9422).
    func limit(offered: Int?) -> Int { min(configured, relayLimit(offered: offered) ?? configured) }

    /// The relay's own limit, whatever is configured; `nil` where none is known.
    func relayLimit(offered: Int?) -> Int? { [learnt, offered].compactMap(\.self).min() }

    /// Notes that the relay accepted this many mails over one connection: an earlier refusal after fewer had another
    /// reason.
    mutating func accepted(_ count: Int) {
        if let refusedAfter, count > refusedAfter { self.refusedAfter = nil }
    }

    /// Notes that the relay refused another mail after this many on a connection. One such refusal may have any reason.
    mutating func refusedAnother(after count: Int) {
        guard count > 0 else { return }
        if refusedAfter == count { learnt = count }
        refusedAfter = count
    }
}
