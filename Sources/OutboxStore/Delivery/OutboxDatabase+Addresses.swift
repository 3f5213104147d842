// Brings the addresses of new messages into the form in which addresses are compared, as far as SQL can't: it knows no IDNA.

import GRDB
import InternetMessage
import OutboxCore

extension OutboxDatabase {
    /// Brings a message's address and person into the form in which addresses are compared, where the insert's trigger
    /// could not; remembers the A-labels of the domain for later inserts.
    ///
    /// - Parameter address: the one in the row of the state.
    /// - Returns: the corrected address; `nil` where there is nothing to correct.
    static func correctAddress(_ address: String, sequence: Int64, in database: Database) throws -> String? {
        guard let corrected = correctedAddress(address) else { return nil }
        if let domain = AddressKey.domain(of: address), let aLabels = DomainName.aLabels(of: domain) {
            try database.execute(
                sql: "INSERT OR IGNORE INTO outbox_domain (spelling, a_labels) VALUES (?, ?)",
                arguments: [domain, aLabels]
            )
        }
        try database.execute(
            sql: """
                UPDATE outbox_state
                SET address = ?1, person = iif(person = 'address:' || address, 'address:' || ?1, person)
                WHERE sequence = ?2
                """,
            arguments: [corrected, sequence]
        )
        return corrected
    }

    /// The address in the form in which addresses are compared; `nil` where it is in it.
    static func correctedAddress(_ address: String) -> String? {
        if address.utf8.allSatisfy({ $0 < 0x80 }) { return nil }
        let canonical = AddressKey(address).canonical
        // Octets: to Swift two texts that differ only in how their letters are composed are equal.
        return canonical.utf8.elementsEqual(address.utf8) ? nil : canonical
    }
}
