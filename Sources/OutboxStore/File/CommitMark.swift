// The mark outside of the database file: what outboxd last committed to it. Never reads or changes the database.

import Foundation
import Glibc
import OutboxCore
import Synchronization

/// What a run of outboxd last committed to the file.
struct CommitMark: Sendable, Hashable {
    /// The run's number in `outbox_run`.
    let run: Int64
    /// How many changes the run had committed, this one included.
    let commits: Int64
    /// When.
    let committedAt: Timestamp
    /// The highest number that a message had got in `outbox_state`: all that outboxd had sent have this one or a lower one.
    let sequence: Int64
    /// The inode of the file, which a copy does not have.
    let inode: Int64
}

extension CommitMark {
    /// Fits into one sector, so that a crash leaves the old mark or the new one.
    static let octets = 56

    private static let format: UInt64 = 0x6f75_7462_6f78_6432  // "outboxd2"

    /// The mark's fields in network order, with a checksum.
    var record: [UInt8] {
        var record: [UInt8] = []
        record.reserveCapacity(Self.octets)
        let fields = [run, commits, committedAt.milliseconds, sequence, inode]
        for field in [Self.format] + fields.map(UInt64.init(bitPattern:)) { Self.append(field, to: &record) }
        Self.append(Self.checksum(of: record[...]), to: &record)
        return record
    }

    /// Returns `nil` where the octets are not a whole mark.
    init?(record: [UInt8]) {
        guard record.count == Self.octets else { return nil }
        let fields = stride(from: 0, to: Self.octets, by: 8).map { start in
            record[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard fields[0] == Self.format, fields[6] == Self.checksum(of: record.dropLast(8)) else { return nil }
        run = Int64(bitPattern: fields[1])
        commits = Int64(bitPattern: fields[2])
        committedAt = Timestamp(milliseconds: Int64(bitPattern: fields[3]))
        sequence = Int64(bitPattern: fields[4])
        inode = Int64(bitPattern: fields[5])
    }

    private static func append(_ field: UInt64, to record: inout [UInt8]) {
        for shift in stride(from: 56, through: 0, by: -8) { record.append(UInt8(truncatingIfNeeded: field >> shift)) }
    }

    /// FNV-1a with 64 bits (RFC 9923).
    private static func checksum(of octets: ArraySlice<UInt8>) -> UInt64 {
        octets.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
}

/// The file that holds the mark of one database. All outboxd processes of a machine that work on the database share it.
final class CommitMarkFile: Sendable {
    /// The path of the file.
    let path: String

    private let folder: String
    private let descriptor: Int32
    /// Whether the mark can be written at all.
    let isWritable: Bool
    private let onTrouble: @Sendable (CommitMarkTrouble) -> Void
    private let hasTrouble = Mutex(false)

    /// Opens the file, and creates it where it is missing. If it can't be written, it is only read.
    ///
    /// - Parameters:
    ///   - folder: an existing folder. The database's own folder would be restored together with it.
    ///   - identity: the database's.
    ///   - onTrouble: called for the first failure. Delivery goes on without the mark.
    /// - Returns: `nil` where the file can't even be read; `onTrouble` was called.
    init?(folder: String, identity: String, onTrouble: @escaping @Sendable (CommitMarkTrouble) -> Void) {
        self.folder = folder
        self.onTrouble = onTrouble
        path = "\(folder)/\(identity)"
        let writing = Glibc.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        let code = errno
        isWritable = writing >= 0
        descriptor = isWritable ? writing : Glibc.open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        if !isWritable { failed(code) }
        if descriptor < 0 { return nil }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// What the file holds.
    enum Content: Sendable, Hashable {
        /// Nothing: nobody has written a mark, or it can't be read, and `onTrouble` was called.
        case nothing
        /// A mark.
        case mark(CommitMark)
        /// Something else: a crash left the mark incomplete, or it is damaged.
        case unreadable
    }

    /// Reads the mark.
    func read() -> Content {
        // Another process may be writing.
        for _ in 1...10 {
            var record = [UInt8](repeating: 0, count: CommitMark.octets)
            let count = pread(descriptor, &record, record.count, 0)
            if count < 0 { failed(errno) }
            guard count > 0 else { return .nothing }
            if count == record.count, let mark = CommitMark(record: record) { return .mark(mark) }
        }
        return .unreadable
    }

    /// Replaces the mark, without waiting for the disk: if the machine crashes, an older mark is left, which is none the
    /// less true.
    func write(_ mark: CommitMark) {
        guard isWritable else { return }
        if pwrite(descriptor, mark.record, CommitMark.octets, 0) != CommitMark.octets { failed(errno) }
    }

    /// Replaces the mark, and waits until it is on the disk.
    ///
    /// - Returns: whether it is.
    func writeDurably(_ mark: CommitMark) -> Bool {
        guard isWritable else { return false }
        write(mark)
        guard !hasTrouble.withLock(\.self) else { return false }
        // The file may be new.
        let parent = Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if parent >= 0 { close(parent) } }
        if fdatasync(descriptor) == 0, parent >= 0, fsync(parent) == 0 { return true }
        failed(errno)
        return false
    }

    private func failed(_ code: Int32) {
        let isFirst = hasTrouble.withLock { known in
            defer { known = true }
            return !known
        }
        if isFirst { onTrouble(CommitMarkTrouble(path: path, reason: String(cString: strerror(code)))) }
    }
}

/// A mark can't be written, or not even read.
package struct CommitMarkTrouble: Sendable, Hashable, CustomStringConvertible {
    /// The mark's file.
    package let path: String
    /// The system's words.
    package let reason: String

    /// The words for an operator.
    package var description: String { "\(path): \(reason)" }
}
