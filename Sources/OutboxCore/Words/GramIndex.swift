// Finds pieces of secrets in a text, in a time that grows with its length alone. Never replaces anything.

/// Finds every piece of the patterns: a short pattern as a whole, a longer one by each 12 octets.
struct GramIndex: Sendable {
    static let longestGram = 12
    /// A text of this length may have been cut in the middle of a secret: RFC 5321 §4.5.3.1.5 allows a line 512 octets,
    /// and we cut longer replies and reports.
    static let cutTextLength = 500

    private var gramsByLength: [(length: Int, grams: GramSet)] = []
    private let beginnings: [[UInt8]]

    var isEmpty: Bool { gramsByLength.isEmpty }
    /// A shorter text can't contain a pattern.
    let shortestGram: Int

    init(_ patterns: [[UInt8]]) {
        beginnings = patterns.map { Array($0.prefix(Self.longestGram)) }
        shortestGram = beginnings.map(\.count).min() ?? .max
        for length in Set(beginnings.map(\.count)).sorted() {
            let chosen = patterns.filter { min($0.count, Self.longestGram) == length }
            var grams = GramSet(capacity: chosen.reduce(0) { $0 + $1.count - length + 1 })
            for pattern in chosen {
                var gram = Gram()
                for (index, byte) in pattern.enumerated() {
                    gram.append(byte)
                    if index + 1 >= length { grams.insert(gram.suffix(length)) }
                }
            }
            gramsByLength.append((length, grams))
        }
    }

    /// Marks in the original text the pieces of patterns that a view shows.
    ///
    /// - Parameter beginning: how many octets of a pattern's beginning are marked at the end of the text; `nil` where no
    ///   text follows. Of a text that may have been cut, four are.
    func mark(_ view: MaskView, minimum: Int = 0, beginning: Int?, in marks: inout [Bool]) {
        for (length, grams) in gramsByLength where length >= minimum && length <= view.bytes.count {
            var gram = Gram()
            var markedUpTo = 0
            for (index, byte) in view.bytes.enumerated() {
                gram.append(byte)
                let first = index + 1 - length
                guard first >= 0, grams.contains(gram.suffix(length)) else { continue }
                // The overlap with the previous piece is already marked.
                let start = first < markedUpTo ? view.ends[markedUpTo - 1] : view.starts[first]
                for place in start..<view.ends[index] { marks[place] = true }
                markedUpTo = index + 1
            }
        }
        let shortest = marks.count >= Self.cutTextLength ? SecretMask.shortestSecret : beginning
        if let shortest { markEnd(view, atLeast: shortest, in: &marks) }
    }

    /// Marks the end of the text where it is the beginning of a pattern.
    private func markEnd(_ view: MaskView, atLeast shortest: Int, in marks: inout [Bool]) {
        for beginning in beginnings {
            for length in shortest..<max(shortest, beginning.count) {
                let first = view.bytes.count - length
                guard first >= 0, view.bytes[first...].elementsEqual(beginning.prefix(length)) else { continue }
                for place in view.starts[first]..<marks.count { marks[place] = true }
            }
        }
    }
}

/// Up to twelve octets, as two numbers.
private struct Gram {
    private(set) var high: UInt64 = 0
    private(set) var low: UInt64 = 0

    mutating func append(_ byte: UInt8) {
        high = (high << 8 | low >> 56) & 0xFFFF_FFFF
        low = low << 8 | UInt64(byte)
    }

    /// The last octets.
    func suffix(_ length: Int) -> Gram {
        var gram = self
        if length <= 8 { gram.high = 0 }
        if length < 8 { gram.low &= 1 << UInt64(8 * length) - 1 }
        if (9..<12).contains(length) { gram.high &= 1 << UInt64(8 * (length - 8)) - 1 }
        return gram
    }
}

/// A set of grams of one length that costs each mail very little: a table with open addressing. It keeps 64 bits of
/// each gram, so it may mistake one in 2⁶⁴ others for a member, which masks a few letters too many.
private struct GramSet: Sendable {
    /// 0 means empty.
    private var slots: [UInt64]

    init(capacity: Int) {
        var size = 16
        while size < 3 * capacity { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
    }

    mutating func insert(_ gram: Gram) {
        let key = Self.key(gram)
        slots[slot(of: key)] = key
    }

    func contains(_ gram: Gram) -> Bool { slots[slot(of: Self.key(gram))] != 0 }

    /// The slot that contains the key, or that would.
    private func slot(of key: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: key >> 20) & (slots.count - 1)
        while slots[slot] != 0, slots[slot] != key { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    /// Odd factors mix the octets upwards; the shift brings them down again.
    private static func key(_ gram: Gram) -> UInt64 {
        var key = (gram.low ^ (gram.high &* 0xC2B2_AE3D_27D4_EB4F)) &* 0x9E37_79B9_7F4A_7C15
        key ^= key >> 29
        return key == 0 ? 1 : key
    }
}
