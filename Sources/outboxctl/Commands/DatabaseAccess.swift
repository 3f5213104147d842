// Opens the database that the configuration names. Never reads a row.

import OutboxSettings
import OutboxStore
import ProgramSupport

extension ConfigurationOptions {
    /// Opens the outbox for the given use.
    func database(_ access: OutboxDatabase.Access) throws -> OutboxDatabase {
        let path = try settings().database.path
        do { return try OutboxDatabase(path: path, access: access) } catch let error as OutboxDatabaseError {
            throw ProgramFailure(error, databaseAt: path, isWritten: access != .reading)
        }
    }
}
