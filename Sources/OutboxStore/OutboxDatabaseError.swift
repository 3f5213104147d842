// What can be wrong with a database file, in words for an operator. Never holds a row's values.

import GRDB

/// Why an outbox can't be used, or a row not be inserted. Each description ends in what to do.
package enum OutboxDatabaseError: Error, CustomStringConvertible {
    /// There is no such file, and it may not be created here.
    case noFile(path: String)
    /// The file's folder doesn't exist or can't be written to.
    case folderUnusable(path: String)
    /// SQLite refuses the file: no database, damaged, or no permission.
    case cannotOpen(path: String, reason: String)
    /// The file holds no outbox, or an older one than this program needs.
    case schemaTooOld(path: String, found: Int, known: Int)
    /// The file's schema comes from a newer program.
    case schemaTooNew(found: Int, known: Int)
    /// A program from before version 0.1.0 made the outbox in the file.
    case developmentBuild
    /// A CHECK, UNIQUE or NOT NULL constraint refused a row; the name says what was wrong.
    case constraint(String)
    /// The same idempotency key was used before, for another mail.
    case idempotencyKeyReused(id: Int64)
    /// SQLite reports anything else, such as a full disk or a lock that another program holds too long.
    case sqlite(String)

    package var description: String {
        switch self {
        case .noFile(let path):
            "there is no database at \(path); create it with `outboxctl migrate`, or correct the key `database`"
        case .folderUnusable(let path):
            "the database \(path) can't be created: its folder doesn't exist or isn't writable for this user; "
                + "create the folder, or correct the key `database`"
        case .cannotOpen(let path, let reason):
            "the database \(path) can't be opened: \(reason); check the key `database` and the file's permissions"
        case .schemaTooOld(let path, 0, _):
            "the database \(path) holds no outbox; create it with `outboxctl migrate`"
        case .schemaTooOld(let path, let found, let known):
            "the outbox in \(path) has schema version \(found), this program needs \(known); "
                + "upgrade it with `outboxctl migrate`"
        case .schemaTooNew(let found, let known):
            "the outbox has schema version \(found), which is newer than this program's \(known); "
                + "install the newer outboxd and outboxctl"
        case .developmentBuild:
            "a development build made the outbox in this file, and there is no way from it to this version; "
                + "start with a new file, or drop the tables and views whose names begin with outbox"
        case .constraint(let name):
            "the database refused the message; this must hold: \(name.replacing("_", with: " "))"
        case .idempotencyKeyReused(let id):
            "this idempotency key belongs to message \(id), which has another kind or recipient; use a new key"
        case .sqlite(let message):
            "SQLite reports: \(message)"
        }
    }

    /// Turns GRDB's error into one of ours. GRDB's description may hold the statement's arguments, so only SQLite's
    /// message is taken over.
    init(_ error: DatabaseError) {
        let message = error.message ?? error.resultCode.description
        if error.resultCode == .SQLITE_CONSTRAINT {
            self = .constraint(message.split(separator: ": ").last.map(String.init) ?? message)
        } else {
            self = .sqlite(message)
        }
    }
}
