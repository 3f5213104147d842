// Finds word patterns in a reply. Built once from the rules' patterns; knows no rule.

import InternetMessage

/// All patterns of the rules, prepared so that one walk over a reply's words answers for every one of them.
///
/// Each word is looked up in a trie, which returns the *classes* of the word: a class holds the single words that may
/// stand at one place of a pattern. The occurrences of a class are a bit set of places, so "followed by" is a shift and
/// "one of" is a union. Measured on one core: about 30 µs per refusal, 80 µs for one of 1,000 characters.
struct WordMatcher: Sendable {
    /// One registered pattern.
    struct Pattern: Hashable, Sendable {
        fileprivate let number: Int
    }

    private var trie = Trie()
    private var numbers: [WordPattern: Int] = [:]
    private var patterns: [Compiled] = []
    private var classes: [[WordPattern.Element]: Int] = [:]

    /// Registers a pattern.
    mutating func add(_ pattern: WordPattern) -> Pattern {
        if let number = numbers[pattern] { return Pattern(number: number) }
        let groups = pattern.groups.map { steps($0) }
        numbers[pattern] = patterns.count
        patterns.append(Compiled(groups: groups, needed: groups.flatMap { $0.compactMap(\.starters) }))
        return Pattern(number: patterns.count - 1)
    }

    private struct Compiled: Sendable {
        let groups: [[Step]]
        /// A text with the pattern has at least one class of each of these sets. This check excludes most patterns.
        let needed: [ClassSet]
    }

    /// The alternatives at one place.
    fileprivate indirect enum Step: Sendable {
        case gap
        /// A word of the class, or one of the sequences.
        case choice(wordClass: Int?, sequences: [[Step]])

        /// The classes of the alternatives' first words.
        var starters: ClassSet? {
            guard case .choice(let wordClass, let sequences) = self else { return nil }
            var starters = ClassSet()
            if let wordClass { starters.insert(wordClass) }
            for case .some(let first) in sequences.map({ $0.first?.starters }) { starters.formUnion(first) }
            return starters
        }
    }

    private mutating func steps(_ elements: [WordPattern.Element]) -> [Step] {
        elements.map { element in
            switch element {
            case .gap: return .gap
            case .word: return .choice(wordClass: wordClass([element]), sequences: [])
            case .choice(let alternatives):
                // A nested list of words is also one class.
                var words: [WordPattern.Element] = []
                var sequences: [[Step]] = []
                collect(alternatives, &words, &sequences)
                return .choice(wordClass: words.isEmpty ? nil : wordClass(words), sequences: sequences)
            }
        }
    }

    private mutating func collect(
        _ alternatives: [[WordPattern.Element]],
        _ words: inout [WordPattern.Element],
        _ sequences: inout [[Step]]
    ) {
        for alternative in alternatives {
            switch alternative.count == 1 ? alternative[0] : .gap {
            case .word: words.append(alternative[0])
            case .choice(let nested): collect(nested, &words, &sequences)
            case .gap: sequences.append(steps(alternative))
            }
        }
    }

    private mutating func wordClass(_ words: [WordPattern.Element]) -> Int {
        if let known = classes[words] { return known }
        let number = classes.count
        classes[words] = number
        for case .word(let text, let isPrefix) in words { trie.add(text, isPrefix: isPrefix, wordClass: number) }
        return number
    }
}

extension WordMatcher {
    /// The patterns found in a text.
    final class Reading {
        private let matcher: WordMatcher
        private var places: [Places]
        private var sentences: [Int] = []
        /// All places except ends of sentences.
        private var inside = Places()
        private var present = ClassSet()
        private var known: [Bool?]

        fileprivate init(_ text: FoldedText, by matcher: WordMatcher) {
            self.matcher = matcher
            places = Array(repeating: Places(), count: matcher.trie.classCount)
            known = Array(repeating: nil, count: matcher.patterns.count)
            sentences.reserveCapacity(text.words.count)
            var sentence = 0
            for (place, word) in text.words.enumerated() {
                sentences.append(sentence)
                if word.isEmpty {
                    sentence += 1
                } else {
                    inside.insert(place)
                    matcher.trie.classes(of: text.bytes[word]) {
                        places[$0].insert(place)
                        present.insert($0)
                    }
                }
            }
        }

        /// Whether the text has the pattern.
        func has(_ pattern: Pattern) -> Bool {
            if let answer = known[pattern.number] { return answer }
            let compiled = matcher.patterns[pattern.number]
            let answer = compiled.needed.allSatisfy { present.overlaps($0) } && search(compiled.groups)
            known[pattern.number] = answer
            return answer
        }

        private func search(_ groups: [[Step]]) -> Bool {
            var common: Places?
            for group in groups {
                let ends = ends(of: group, after: nil)
                guard !ends.isEmpty else { return false }
                if groups.count == 1 { return true }
                var found = Places()
                ends.forEach { found.insert(sentences[$0]) }
                found = common.map { $0.intersection(found) } ?? found
                guard !found.isEmpty else { return false }
                common = found
            }
            return true
        }

        /// The end places of word sequences that begin directly behind the given places, or anywhere.
        private func ends(of steps: [Step], after start: Places?) -> Places {
            var ends = start
            for step in steps {
                switch step {
                case .gap:
                    guard var reached = ends else { continue }
                    for _ in 0..<4 { reached.formUnion(reached.shifted.intersection(inside)) }
                    ends = reached
                case .choice(let wordClass, let sequences):
                    var found = Places()
                    if let wordClass {
                        found = ends.map { $0.shifted.intersection(places[wordClass]) } ?? places[wordClass]
                    }
                    for sequence in sequences { found.formUnion(self.ends(of: sequence, after: ends)) }
                    guard !found.isEmpty else { return found }
                    ends = found
                }
            }
            return ends ?? Places()
        }
    }

    /// Looks up a text's words.
    func reading(of text: FoldedText) -> Reading { Reading(text, by: self) }
}

/// A set of classes that may report false members: those above 511 share their places with others. So "overlaps" may be
/// wrong, but "doesn't overlap" is always right.
private struct ClassSet: Sendable {
    private var bits = SIMD8<UInt64>()

    mutating func insert(_ number: Int) { bits[number >> 6 & 7] |= 1 << UInt64(number & 63) }

    mutating func formUnion(_ other: ClassSet) { bits |= other.bits }

    func overlaps(_ other: ClassSet) -> Bool { bits & other.bits != SIMD8() }
}

/// Places of words in a text, or numbers of sentences: a set of numbers below 256.
private struct Places {
    private var bits = SIMD4<UInt64>()

    var isEmpty: Bool { bits == SIMD4() }

    mutating func insert(_ place: Int) { bits[place >> 6] |= 1 << UInt64(place & 63) }

    mutating func formUnion(_ other: Places) { bits |= other.bits }

    func intersection(_ other: Places) -> Places {
        var result = self
        result.bits &= other.bits
        return result
    }

    /// Every place moved by one.
    var shifted: Places {
        let carry = bits &>> 63
        var result = self
        result.bits = (bits &<< 1) | SIMD4(0, carry[0], carry[1], carry[2])
        return result
    }

    func forEach(_ body: (Int) -> Void) {
        for index in 0..<4 {
            var rest = bits[index]
            while rest != 0 {
                body(index << 6 + rest.trailingZeroBitCount)
                rest &= rest - 1
            }
        }
    }
}

/// Words and word beginnings, with their classes.
private struct Trie: Sendable {
    private static let width = 40
    private var next = [UInt16](repeating: 0, count: width)
    /// The classes of the words that end at a node, and of the word beginnings that end there.
    private var whole: [[Int]] = [[]]
    private var begun: [[Int]] = [[]]
    /// The highest class plus one.
    private(set) var classCount = 0

    mutating func add(_ word: String, isPrefix: Bool, wordClass: Int) {
        var node = 0
        for byte in word.utf8 {
            guard let symbol = Self.symbol(byte) else { preconditionFailure("no text has the word '\(word)'") }
            let slot = node * Self.width + symbol
            if next[slot] == 0 {
                next[slot] = UInt16(whole.count)
                next += [UInt16](repeating: 0, count: Self.width)
                whole.append([])
                begun.append([])
            }
            node = Int(next[slot])
        }
        classCount = max(classCount, wordClass + 1)
        if isPrefix { begun[node].append(wordClass) } else { whole[node].append(wordClass) }
    }

    func classes(of word: ArraySlice<UInt8>, _ found: (Int) -> Void) {
        var node = 0
        for byte in word {
            guard let symbol = Self.symbol(byte) else { return }
            node = Int(next[node * Self.width + symbol])
            if node == 0 { break }
            begun[node].forEach(found)
        }
        if node != 0 { whole[node].forEach(found) }
        if word.allSatisfy(\.isASCIIDigit) {
            let number = Int(next[Self.symbol(UInt8(ascii: "#")) ?? 0])
            if number != 0 { whole[number].forEach(found) }
        }
    }

    private static func symbol(_ byte: UInt8) -> Int? {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(byte - UInt8(ascii: "a"))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0")) + 26
        case UInt8(ascii: "#"): 36
        case UInt8(ascii: "@"): 37
        case UInt8(ascii: "%"): 38
        default: nil
        }
    }
}
