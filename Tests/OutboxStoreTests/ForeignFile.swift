// A database file that another program has made, for tests of its schema.

import Foundation
import GRDB
import OutboxStore
import TestSupport

/// A file with an outbox that this program has not made.
enum ForeignFile {
    static let objects =
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name"

    static let insert = """
        INSERT INTO outbox (kind, recipient, token, idempotency_key)
            VALUES ('verify-email', 'ann@example.com', 's3cret-of-ann', 'once');
        """

    /// A file that some statements have made, without anything of this program.
    static func with(
        _ statements: String,
        _ body: (_ path: String, _ application: DatabaseQueue) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "application.db").path
            let application = try DatabaseQueue(path: path)
            try await application.write { try $0.execute(sql: statements) }
            try await body(path, application)
        }
    }

    /// The error of opening the file for each use.
    static func errors(_ path: String) -> [String] {
        [OutboxDatabase.Access.upgrading, .migrating, .writing, .reading].compactMap { access in
            do {
                _ = try OutboxDatabase(path: path, access: access)
                return nil
            } catch {
                return "\(error)"
            }
        }
    }
}
