// Converts the addresses of new messages to canonical form where SQL can't, because it has no IDNA.

import GRDB
import InternetMessage
import OutboxCore

extension OutboxDatabase {
    /// Converts a message's address and person to canonical form, where the insert's trigger could not. Stores the
    /// A-labels of the domain for later inserts.
    ///
    /// - Parameter address: the address in the row of `outbox_state`.
    /// - Returns: the corrected address; `nil` where the address is already correct.
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

    /// The address in canonical form; `nil` where it is already in that form.
    static func correctedAddress(_ address: String) -> String? {
        if address.utf8.allSatisfy({ $0 < 0x80 }) { return nil }
        let canonical = AddressKey(address).canonical
        // Compares octets, because Swift treats differently composed but equivalent texts as equal.
        return canonical.utf8.elementsEqual(address.utf8) ? nil : canonical
    }
}
