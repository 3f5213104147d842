// Opens the database that the configuration names. Never reads a row.

import OutboxSettings
import OutboxStore
import ProgramSupport

extension ConfigurationOptions {
    /// The outbox, for the given use.
    func database(_ access: OutboxDatabase.Access) throws -> OutboxDatabase {
        try OutboxDatabase(path: try settings().database, access: access)
    }
}
