// The problems of a database file, in words for an operator. Never holds a row's values.

import GRDB

/// Why an outbox can't be used, or a row can't be inserted. Each description ends with the remedy.
package enum OutboxDatabaseError: Error, CustomStringConvertible {
    /// There is no such file, and it may not be created here.
    case noFile(path: String)
    /// There is no such file, and a daemon creates one only when it is told to.
    case notCreated(path: String)
    /// The file's folder doesn't exist or can't be written to.
    case folderUnusable(path: String)
    /// Whether the file exists is unknown, usually because this user may not search a folder above it.
    case unreachable(path: String, reason: String)
    /// This user may not read the file.
    case notReadable(path: String)
    /// This user may not write to the file, to its folder, or to SQLite's files beside it.
    case notWritable(path: String)
    /// SQLite refuses the file for another reason.
    case cannotOpen(path: String, reason: String)
    /// The file is not an SQLite database.
    case noDatabase(path: String)
    /// The file is damaged.
    case corrupt(path: String, reason: String)
    /// The file's texts are not in UTF-8.
    case encoding(path: String, String)
    /// The file system doesn't support a write-ahead log.
    case noWriteAheadLog(path: String, reason: String)
    /// Other machines may use the file at the same time.
    case networkFileSystem(path: String, kind: String)
    /// The file is no longer where it was when it was opened.
    case lost(FileLoss)
    /// The file holds no outbox, or an older one than this program needs.
    case schemaTooOld(path: String, found: Int, known: Int)
    /// The file's schema comes from a newer program.
    case schemaTooNew(found: Int, known: Int)
    /// Objects of the outbox are missing or changed, and can be made anew.
    case schemaIncomplete(path: String, missing: [String], changed: [String])
    /// Another tool made the outbox's tables from its own description of them.
    case schemaReshaped(path: String, objects: [String], differences: [String])
    /// Objects of another program have names of the outbox.
    case foreignOutbox(path: String, [String])
    /// A table of the outbox was renamed.
    case tableRenamed(path: String, table: String, to: String, isLegacy: Bool)
    /// A row holds a value that this program doesn't know.
    case unknownValue(path: String)
    /// A CHECK, UNIQUE or NOT NULL constraint refused a row; the constraint's name says what must hold.
    case constraint(String)
    /// The same idempotency key was used before, for another mail.
    case idempotencyKeyReused(id: Int64)
    /// There is no space for the write.
    case diskFull(path: String)
    /// Another program has held a lock for too long.
    case locked(path: String)
    /// The disk or the file system fails.
    case inputOutput(path: String, reason: String)
    /// Any other error of SQLite.
    case sqlite(String)

    package var description: String {
        switch self {
        case .noFile(let path):
            "there is no database at \(path); create it with `outboxctl migrate`, or correct the key `database`"
        case .notCreated(let path):
            "there is no database at \(path): is its file system mounted? Where it is, create the file with "
                + "`outboxctl migrate`, or let outboxd do that at start with `database: {path: \(path), create: true}`"
        case .folderUnusable(let path):
            "the database \(path) can't be created: its folder doesn't exist or isn't writable for this user; "
                + "create the folder, or correct the key `database`"
        case .unreachable(let path, let reason):
            "the database \(path) can't be reached: \(reason); give this user the right to search the folders above it "
                + "(chmod g+x), or correct the key `database`"
        case .notReadable(let path):
            "this user may not read the database \(path); add the user to the file's group, or give the file to a "
                + "group that both outboxd and the application are in (mode 0660, its folder 2770)"
        case .notWritable(let path):
            "this user may not write to the database \(path), to the files beside it, or to its folder; give them to a "
                + "group that both outboxd and the application are in (files 0660, folder 2770), name the folder in "
                + "ReadWritePaths= of the systemd unit where it is outside /var/lib/outboxd, and see that its file system "
                + "is not mounted read-only"
        case .cannotOpen(let path, let reason):
            "the database \(path) can't be opened: \(reason); check the key `database` and the file's permissions"
        case .noDatabase(let path):
            "the file \(path) is not an SQLite database: it is damaged from its first page on, encrypted, or something else; "
                + "correct the key `database`, or restore a backup (docs/operating.md)"
        case .corrupt(let path, let reason):
            "the database \(path) is damaged (\(reason)); stop outboxd and the applications, keep a copy of the file "
                + "with its -wal, then restore a backup or save what can be read with `sqlite3 FILE .recover` "
                + "(docs/operating.md)"
        case .encoding(let path, let encoding):
            "the texts in the database \(path) are in \(encoding), and an outbox needs UTF-8; keep the outbox in a file of "
                + "its own, or copy the application's data into a file made after `PRAGMA encoding = 'UTF-8'`"
        case .noWriteAheadLog(let path, let reason):
            "the database \(path) can't have a write-ahead log, which outboxd needs (\(reason)); move it to a local file "
                + "system that lets processes share memory (https://sqlite.org/wal.html)"
        case .networkFileSystem(let path, let kind):
            "the database \(path) is on a network file system (\(kind)), where SQLite's write-ahead log does not work "
                + "(https://sqlite.org/wal.html); move it to a disk of this machine"
        case .lost(.gone(let path)):
            "the database \(path) was moved or deleted, or its file system is gone; nothing is sent or recorded any more. "
                + "Put it back or mount it, and start outboxd again"
        case .lost(.replaced(let path)):
            "another file took the place of the database \(path); nothing is sent or recorded any more. Start outboxd "
                + "again to work on the new file"
        case .lost(.restored(let path)):
            "an older state was written over the database \(path) while outboxd ran, such as by .restore of sqlite3; nothing "
                + "is sent or recorded any more. Start outboxd again: it holds the messages that may have been sent"
        case .schemaTooOld(let path, 0, _):
            "the database \(path) holds no outbox; create it with `outboxctl migrate`"
        case .schemaTooOld(let path, let found, let known):
            "the outbox in \(path) has schema version \(found), this program needs \(known); "
                + "upgrade it with `outboxctl migrate`"
        case .schemaTooNew(let found, let known):
            "the outbox has schema version \(found), which is newer than this program's \(known); "
                + "install the newer outboxd and outboxctl"
        case .schemaIncomplete(let path, let missing, let changed):
            "the outbox in \(path) is damaged by another tool, such as a migration that drops what it doesn't know: "
                + Self.clause(missing, "missing") + (missing.isEmpty || changed.isEmpty ? "" : "; ")
                + Self.clause(changed, "changed")
                + "; `outboxctl migrate --repair` makes them anew and says what is lost. Keep the tool away from names that "
                + "begin with outbox (docs/applications.md)"
        case .schemaReshaped(let path, let objects, let differences):
            "the outbox in \(path) is not the one that outboxd makes: \(Self.list(differences, separator: "; ")). Another "
                + "tool made it from its own description, without the rules and triggers. If nothing in them matters, drop "
                + "exactly these and run `outboxctl migrate --repair`: \(objects.joined(separator: ", ")). In the "
                + "application's own migrations use the text of `outboxctl schema` (docs/applications.md)"
        case .foreignOutbox(let path, let objects):
            "\(path) has objects of another program with names of the outbox: \(Self.list(objects, separator: "; ")); keep "
                + "the outbox in a file of its own with the key `database`, or rename them"
        case .tableRenamed(let path, let table, let name, let isLegacy):
            "the table \(table) in \(path) was renamed to \(name); rename it back, which keeps everything: "
                + (isLegacy ? "PRAGMA legacy_alter_table = ON; " : "")
                + "ALTER TABLE \(name.quotedDatabaseIdentifier) RENAME TO \(table), and then `outboxctl migrate --repair`"
        case .unknownValue(let path):
            "a row of the outbox in \(path) holds a value that this program doesn't know; install the newer outboxd and "
                + "outboxctl, or find the program that wrote it"
        case .constraint(let name):
            "the database refused the message; this must hold: \(name.replacing("_", with: " "))"
        case .idempotencyKeyReused(let id):
            "this idempotency key belongs to message \(id), which has another kind or recipient; use a new key"
        case .diskFull(let path):
            "there is no space for the database \(path); free some on its file system, or raise its quota or max_page_count"
        case .locked(let path):
            "another program has locked the database \(path) for too long; end its transaction"
        case .inputOutput(let path, let reason):
            "the file system fails under the database \(path) (\(reason)); check the kernel's log"
        case .sqlite(let message):
            "SQLite reports: \(message)"
        }
    }

    private static let longestList = 5

    /// The first items, and how many there are more.
    private static func list(_ items: [String], separator: String) -> String {
        let rest = items.count - longestList
        return items.prefix(longestList).joined(separator: separator) + (rest > 0 ? " and \(rest) more" : "")
    }

    private static func clause(_ objects: [String], _ state: String) -> String {
        objects.isEmpty ? "" : "\(state): \(list(objects, separator: ", "))"
    }

    init(_ problem: SchemaProblem, path: String) {
        self =
            switch problem {
            case .incomplete(let missing, let changed):
                .schemaIncomplete(
                    path: path,
                    missing: missing.map(\.description),
                    changed: changed.map(\.description)
                )
            case .reshaped(let reshaped):
                .schemaReshaped(
                    path: path,
                    objects: reshaped.map(\.object),
                    differences: reshaped.map(\.difference)
                )
            case .foreign(let objects): .foreignOutbox(path: path, objects)
            case .renamed(let table, let name, let isLegacy):
                .tableRenamed(path: path, table: table, to: name, isLegacy: isLegacy)
            }
    }

    /// Translates GRDB's error. GRDB's description may contain the statement's arguments, so only SQLite's message is
    /// used. The codes are those of https://sqlite.org/rescode.html.
    init(_ error: DatabaseError, path: String) {
        let message = error.message ?? error.resultCode.description
        self =
            switch error.extendedResultCode {
            case .SQLITE_CONSTRAINT: .constraint(message.split(separator: ": ").last.map(String.init) ?? message)
            case .SQLITE_NOTADB: .noDatabase(path: path)
            case .SQLITE_CORRUPT: .corrupt(path: path, reason: message)
            case .SQLITE_READONLY: .notWritable(path: path)
            case .SQLITE_FULL: .diskFull(path: path)
            case .SQLITE_BUSY: .locked(path: path)
            case .SQLITE_IOERR_SHMOPEN, .SQLITE_IOERR_SHMSIZE, .SQLITE_IOERR_SHMLOCK, .SQLITE_IOERR_SHMMAP,
                .SQLITE_PROTOCOL:
                .noWriteAheadLog(path: path, reason: message)
            case .SQLITE_IOERR: .inputOutput(path: path, reason: message)
            // The file itself can be opened, as was checked before; so `-wal` or `-shm` can't be opened.
            case .SQLITE_CANTOPEN: .notWritable(path: path)
            default: .sqlite(message)
            }
    }
}
