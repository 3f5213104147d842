// A token does not outlive its purpose: every octet of the database's files is searched.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import TestSupport
import Testing

@Suite("Tokens leave no copies", .timeLimit(.minutes(10)))
struct SecrecyTests {
    /// How an application uses the outbox.
    enum Habit: String, CaseIterable, CustomTestStringConvertible {
        case oneByOne = "inserts one by one"
        case batches = "inserts in batches"
        case ownIDs = "gives ids of its own, in no order"
        case cancels = "cancels every third message"
        case deletes = "deletes most messages"
        case ownTables = "creates and drops tables of its own in between"
        case long = "has tokens of up to 3,000 octets"
        case unicode = "has tokens outside ASCII"

        var testDescription: String { rawValue }
    }

    private static let start = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))

    @Test(
        "no file holds a token of a final message, whatever the application does without secure_delete",
        arguments: Habit.allCases,
        [20, 80, 200, 600, 2000]
    )
    func wiped(habit: Habit, count: Int) async throws {
        let outbox = try TemporaryOutbox()
        var application = try Application(outbox, habit: habit, seed: UInt64(count))
        try await application.insert(count)
        #expect(try readableTokens(in: outbox).count > count / 4)
        try application.changeItsMind()
        try await deliver(outbox, &application)
        #expect(try readableTokens(in: outbox) == [])
    }

    @Test("nor after 100,000 messages of mixed sizes, with deferrals, crashes and expiry")
    func many() async throws {
        let outbox = try TemporaryOutbox()
        for (habit, count) in [(Habit.oneByOne, 30_000), (.batches, 70_000)] {
            var application = try Application(outbox, habit: habit, seed: 1)
            try await application.insert(count)
            try await deliver(outbox, &application)
            #expect(try readableTokens(in: outbox) == [])
        }
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox") == 100_000)
    }

    /// Brings all messages to a final state: most are accepted; some are deferred before, rejected, interrupted by a
    /// crash, or expire.
    private func deliver(_ outbox: TemporaryOutbox, _ application: inout Application) async throws {
        var store = outbox.database
        var newest = try await store.supersede(newerThan: 0, now: Self.start, rules: .lax).newest
        var now = Self.start + .seconds(3600)
        var emptyRounds = 0
        while true {
            _ = try await store.supersede(newerThan: newest, now: now, rules: .lax)
            while try await !store.expire(now: now).isEmpty {}
            var claims = try await store.claim(limit: 100, now: now).claims
            if claims.isEmpty {
                // Messages that were being sent at two crashes are tried alone.
                claims = try await store.claim(
                    .interruptedOne,
                    limit: 1,
                    now: now,
                    lease: .seconds(60),
                    rules: .lax,
                    expiryHold: nil
                ).claims
            }
            emptyRounds = claims.isEmpty ? emptyRounds + 1 : 0
            try #require(emptyRounds < 1000, "something is left that is never claimed")
            if claims.isEmpty {
                let moments = try await store.nextMoments(now: now)
                guard let next = moments.next else { break }
                now = max(now, next) + .seconds(1)
                _ = try await store.rescue(now: now)
                continue
            }
            if application.chance(0.02) {
                // The daemon is killed, and another one starts.
                store = try OutboxDatabase(path: outbox.path, access: .writing)
                newest = try await store.supersede(newerThan: nil, now: now, rules: .lax).newest
                continue
            }
            let completions = claims.map { claim -> Completion in
                if claim.attempt < 4, application.chance(0.2) {
                    return .deferred(claim, until: now + .seconds(30), at: now)
                }
                return application.chance(0.1) ? .rejected(claim, at: now) : .accepted(claim, at: now)
            }
            _ = try await store.finish(completions, now: now)
        }
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_state WHERE finished_at IS NULL") == 0)
        #expect(try await store.truncateLog())
    }

    /// The tokens found anywhere in the folder's files.
    private func readableTokens(in outbox: TemporaryOutbox) throws -> Set<Int> {
        var found: Set<Int> = []
        let mark = Data("canary-".utf8)
        for name in try FileManager.default.contentsOfDirectory(atPath: outbox.folder.path) {
            let contents = FileManager.default.contents(atPath: outbox.folder.appending(path: name).path) ?? Data()
            var rest = contents[...]
            while let next = rest.range(of: mark) {
                rest = rest[next.upperBound...]
                let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                found.insert(Int(String(decoding: digits, as: UTF8.self)) ?? -1)
            }
        }
        return found
    }
}

/// An application on its own connection, like most applications without `secure_delete`.
private struct Application {
    private let queue: DatabaseQueue
    private let habit: SecrecyTests.Habit
    private var random: SplitMix
    private var ids: [Int64] = []

    init(_ outbox: TemporaryOutbox, habit: SecrecyTests.Habit, seed: UInt64) throws {
        var configuration = Configuration()
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF")
        }
        queue = try DatabaseQueue(path: outbox.path, configuration: configuration)
        self.habit = habit
        random = SplitMix(seed: seed)
        let isOff = try queue.read { try Int.fetchOne($0, sql: "PRAGMA secure_delete") == 0 }
        precondition(isOff, "Debian's SQLite has secure_delete on by default, and the test is about the others")
    }

    mutating func chance(_ part: Double) -> Bool { Double.random(in: 0..<1, using: &random) < part }

    /// Lets other tests run in between.
    mutating func insert(_ count: Int) async throws {
        let perTransaction = habit == .oneByOne ? 1 : 100
        var left = count
        while left > 0 {
            let rows = (0..<min(perTransaction, left)).map { _ in row() }
            left -= rows.count
            if left % 500 == 0 { await Task.yield() }
            ids += try await queue.write { database in
                let insert = try database.cachedStatement(
                    sql: """
                        INSERT INTO outbox (id, kind, recipient, token, variables, expires_at)
                        VALUES (?, 'verify-email', ?, ?, ?, ?)
                        """
                )
                return try rows.map { row in
                    try insert.execute(arguments: row)
                    return database.lastInsertedRowID
                }
            }
        }
    }

    private mutating func row() -> StatementArguments {
        let number = Int.random(in: 1...1_000_000, using: &random)
        let length = Int.random(in: 0...(habit == .long ? 3000 : 120), using: &random)
        let token = "canary-\(number)-" + String(repeating: habit == .unicode ? "ü" : "z", count: length)
        let domain = String(repeating: "x", count: Int.random(in: 1...40, using: &random))
        let value = String(repeating: "v", count: Int.random(in: 0...200, using: &random))
        let expires = chance(0.1) ? Int64(Date.now.timeIntervalSince1970 * 1000) + 1_800_000 : nil
        let id = habit == .ownIDs ? Int64.random(in: 1...1_000_000_000_000, using: &random) : nil
        return [id, "p\(number)@\(domain).example", token, "{\"v\":\"\(value)\"}", expires]
    }

    /// Changes and cancels some of its messages.
    mutating func changeItsMind() throws {
        let some = ids.filter { _ in chance(0.3) }
        let value = String(repeating: "w", count: Int.random(in: 0...300, using: &random))
        try queue.writeWithoutTransaction { database in
            for id in some {
                try database.execute(
                    sql: "UPDATE outbox SET variables = ? WHERE id = ?",
                    arguments: ["{\"w\":\"\(value)\"}", id]
                )
            }
            switch habit {
            case .cancels: try database.execute(sql: "UPDATE outbox SET cancelled = 1 WHERE id % 3 = 0")
            case .deletes: try database.execute(sql: "DELETE FROM outbox WHERE id % 5 > 0")
            case .ownTables:
                // With auto_vacuum, SQLite makes room for a new table's root page by moving the page at that place, and
                // leaves its old content in the unused part of the root. So none of our files uses auto_vacuum.
                for number in 1...40 { try database.execute(sql: "CREATE TABLE app_\(number) (x)") }
                for number in 1...20 { try database.execute(sql: "DROP TABLE app_\(number)") }
            case .oneByOne, .batches, .ownIDs, .long, .unicode: break
            }
        }
    }
}
