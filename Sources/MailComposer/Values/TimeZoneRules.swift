// The offsets of one time zone, from the machine's own data. Never uses the zone of the machine itself.

import Foundation
import InternetMessage
import OutboxCore

/// When a time zone's clocks differ from UTC, and by how much.
///
/// The machine's files (TZif, RFC 9636) get updates with the package tzdata. Foundation's data are as old as the
/// toolchain, so they are used only where a file is missing, or ends before the moment.
struct TimeZoneRules: Sendable {
    /// The moments of changes, in seconds since 1970, ascending.
    private let changes: [Int64]
    /// In seconds east of UTC; the first one applies before the first change, each other one from its change on.
    private let offsets: [Int]
    /// Whether the last offset applies for ever.
    private let lastIsForEver: Bool
    private let zone: TimeZone?

    /// - Parameter folder: the folder of the TZif files.
    /// - Returns: `nil` if there is no such zone.
    init?(named name: String, folder: String = "/usr/share/zoneinfo") {
        // "right/" has zones whose seconds include leap seconds.
        let isName = name.utf8.allSatisfy { $0.isASCIILetterOrDigit || "/_+-".utf8.contains($0) }
        guard isName, name.utf8.count <= 64, !name.hasPrefix("/"), !name.hasPrefix("right/") else { return nil }
        let zone = TimeZone(identifier: name)
        let file = FileManager.default.contents(atPath: "\(folder)/\(name)").flatMap { data in
            var reader = TZifReader(data)
            return reader?.content()
        }
        guard let file else {
            guard let zone else { return nil }
            self.init(changes: [], offsets: [0], lastIsForEver: false, zone: zone)
            return
        }
        self.init(changes: file.changes, offsets: file.offsets, lastIsForEver: !file.continues, zone: zone)
    }

    private init(changes: [Int64], offsets: [Int], lastIsForEver: Bool, zone: TimeZone?) {
        self.changes = changes
        self.offsets = offsets
        self.lastIsForEver = lastIsForEver
        self.zone = zone
    }

    /// The offset from UTC at a moment.
    func offset(at moment: Timestamp) -> Duration {
        let second = (moment.milliseconds - (moment.milliseconds < 0 ? 999 : 0)) / 1000
        // A file has at most a few hundred changes, and the moment is near the end.
        let index = changes.lastIndex { $0 <= second }.map { $0 + 1 } ?? 0
        if index == changes.count, !lastIsForEver, let zone {
            return .seconds(zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(second))))
        }
        return .seconds(offsets[index])
    }
}

/// Reads the 64-bit data of a TZif file (RFC 9636 §3).
private struct TZifReader {
    private let bytes: [UInt8]
    private var index = 0

    private struct Header {
        let standardIndicators: Int
        let universalIndicators: Int
        let leapSeconds: Int
        let changes: Int
        let types: Int
        let characters: Int
    }

    /// `nil` for a file of another format.
    init?(_ data: Data) {
        bytes = Array(data)
        guard bytes.count < 1_000_000, bytes.starts(with: "TZif".utf8) else { return nil }
    }

    mutating func content() -> (changes: [Int64], offsets: [Int], continues: Bool)? {
        guard let old = header() else { return nil }
        index +=
            old.changes * 5 + old.types * 6 + old.characters + old.leapSeconds * 8 + old.standardIndicators
            + old.universalIndicators
        guard let header = header(), header.types > 0 else { return nil }
        var changes: [Int64] = []
        for _ in 0..<header.changes {
            guard let change = number(octets: 8) else { return nil }
            changes.append(change)
        }
        var types: [Int] = []
        for _ in 0..<header.changes {
            guard let type = number(octets: 1), type >= 0, type < header.types else { return nil }
            types.append(Int(type))
        }
        var offsets: [Int] = []
        for _ in 0..<header.types {
            guard let offset = number(octets: 4), number(octets: 2) != nil, abs(offset) < 93_600 else { return nil }
            offsets.append(Int(offset))
        }
        index +=
            header.characters + header.leapSeconds * 12 + header.standardIndicators + header.universalIndicators
        guard index < bytes.count, zip(changes, changes.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        // The footer is a POSIX TZ string. With a comma it has rules for all later years.
        return (changes, ([0] + types).map { offsets[$0] }, bytes[index...].contains(UInt8(ascii: ",")))
    }

    private mutating func header() -> Header? {
        guard index + 44 <= bytes.count, bytes[index...].starts(with: "TZif".utf8) else { return nil }
        // Version 1 has no 64-bit data.
        guard bytes[index + 4] >= UInt8(ascii: "2") else { return nil }
        index += 20
        var counts: [Int] = []
        for _ in 0..<6 {
            guard let count = number(octets: 4), (0..<100_000).contains(count) else { return nil }
            counts.append(Int(count))
        }
        return Header(
            standardIndicators: counts[1],
            universalIndicators: counts[0],
            leapSeconds: counts[2],
            changes: counts[3],
            types: counts[4],
            characters: counts[5]
        )
    }

    /// A signed number, the highest octet first.
    private mutating func number(octets: Int) -> Int64? {
        guard index + octets <= bytes.count else { return nil }
        let value = bytes[index..<index + octets].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        index += octets
        let unused = 64 - octets * 8
        return Int64(bitPattern: value << unused) >> unused
    }
}
