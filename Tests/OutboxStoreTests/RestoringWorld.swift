// A database that is moved, copied and restored, for tests. Expects nothing by itself.

import Foundation
import GRDB
import OutboxCore
import Synchronization
import Testing

@testable import OutboxStore

/// A database that is moved, copied and restored, and the cache folders of the machines on which outboxd runs.
final class RestoringWorld: Sendable {
    let folder: URL
    private let time = Mutex(noon)
    let troubles = Mutex<[CommitMarkTrouble]>([])

    var database: String { file("app.db") }
    var now: Timestamp { time.withLock(\.self) }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "restoring-\(UUID().uuidString)")
        for machine in ["A", "B", "C"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: machine),
                withIntermediateDirectories: true
            )
        }
        _ = try OutboxDatabase(path: folder.appending(path: "app.db").path, access: .migrating)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func file(_ name: String) -> String { folder.appending(path: name).path }

    func pass(_ span: Duration) { time.withLock { $0 = $0 + span } }

    /// A daemon that begins its run on a machine.
    func start(_ machine: String = "A", rules: DeliveryRules = .lax) async throws -> Daemon {
        pass(.seconds(1))
        let store = try OutboxDatabase(path: database, access: .upgrading)
        let beginning = try await store.beginRun(
            marks: file(machine),
            rules: rules,
            clock: { self.now },
            onTrouble: { trouble in self.troubles.withLock { $0.append(trouble) } }
        )
        return Daemon(store: store, beginning: beginning, world: self)
    }

    /// Replaces the database by another file.
    func restore(_ name: String) throws {
        try wipe()
        try copy(name, to: "app.db")
    }

    func wipe() throws {
        for suffix in ["", "-wal", "-shm"] where FileManager.default.fileExists(atPath: database + suffix) {
            try FileManager.default.removeItem(atPath: database + suffix)
        }
    }

    func copy(_ name: String, to other: String) throws {
        for suffix in ["", "-wal"] where FileManager.default.fileExists(atPath: file(name) + suffix) {
            try? FileManager.default.removeItem(atPath: file(other) + suffix)
            try FileManager.default.copyItem(atPath: file(name) + suffix, toPath: file(other) + suffix)
        }
    }

    /// The mark of a machine.
    func mark(_ machine: String = "A") throws -> Data {
        let names = try FileManager.default.contentsOfDirectory(atPath: file(machine))
        return try Data(contentsOf: folder.appending(path: "\(machine)/\(try #require(names.first))"))
    }

    func setMark(_ mark: Data, _ machine: String = "A") throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: file(machine))
        try mark.write(to: folder.appending(path: "\(machine)/\(try #require(names.first))"))
    }

    func value<Value: DatabaseValueConvertible & Sendable>(_ type: Value.Type, _ sql: String) throws -> Value? {
        try DatabaseQueue(path: database).read { try Value.fetchOne($0, sql: sql) }
    }

    func execute(_ sql: String) throws { try DatabaseQueue(path: database).write { try $0.execute(sql: sql) } }

    /// Inserts a message that is requested now.
    @discardableResult
    func insert(_ name: String = "ann", notBefore: Timestamp? = nil, expiresAt: Timestamp? = nil) throws -> Int64 {
        try DatabaseQueue(path: database).write { database in
            try database.execute(
                sql: """
                    INSERT INTO outbox (kind, recipient, token, not_before, expires_at)
                    VALUES ('verify-email', ?, 's3cret', ?, ?)
                    """,
                arguments: ["\(name)@example.com", notBefore, expiresAt]
            )
            let id = database.lastInsertedRowID
            try database.execute(
                sql: """
                    UPDATE outbox_state SET requested_at = ?1, due_at = coalesce(not_before, ?1) WHERE message_id = ?2
                    """,
                arguments: [self.now, id]
            )
            return id
        }
    }

    /// A running daemon; it ends without a word, as if killed, with the last reference to it.
    final class Daemon: Sendable {
        let store: OutboxDatabase
        let beginning: RunBeginning
        private let world: RestoringWorld

        var finding: RunBeginning.Finding { beginning.finding }
        var isRestored: Bool { if case .restored = finding { true } else { false } }

        init(store: OutboxDatabase, beginning: RunBeginning, world: RestoringWorld) {
            self.store = store
            self.beginning = beginning
            self.world = world
        }

        /// Sends new mails.
        func work(_ mails: Int = 1) async throws {
            for _ in 0..<mails {
                try world.insert("worker")
                world.pass(.seconds(1))
                try await send()
            }
        }

        /// Sends what is due.
        @discardableResult
        func send() async throws -> [Int64] {
            let claims = try await store.claim(now: world.now).claims
            _ = try await store.finish(claims.map { .accepted($0, at: world.now) }, now: world.now)
            return claims.map(\.message.id)
        }

        func checkpoint() throws {
            try DatabaseQueue(path: store.path).writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
        }
    }
}
