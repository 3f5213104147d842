// Finds the word that the author of a mistyped word probably meant.

/// Edit distance between keys.
enum NearestKey {
    /// The candidate nearest to `word` (the first of several) if it is near enough: one mistake, one mistake for each
    /// three letters, or a missing or extra ending (`warn`, `username`). Upper case, and hyphens for underscores, are
    /// not mistakes here.
    static func find(_ word: String, among candidates: [String]) -> String? {
        // Keys are much shorter, and the table below grows with the length.
        guard !word.isEmpty, word.utf8.count <= 64 else { return nil }
        let typed = Array(word.lowercased().replacing("-", with: "_").unicodeScalars)
        let near = candidates.map { candidate in
            let meant = Array(candidate.replacing("-", with: "_").unicodeScalars)
            let distance = distance(typed, meant)
            let isPart = min(typed.count, meant.count) >= 3 && (typed.starts(with: meant) || meant.starts(with: typed))
            return (candidate, distance: distance, isNear: isPart || distance <= max(1, meant.count / 3))
        }
        return near.filter(\.isNear).min { $0.distance < $1.distance }?.0
    }

    /// How many letters must be added, removed, replaced, or exchanged with their neighbour to turn one word into the
    /// other (optimal string alignment).
    private static func distance(_ from: [UnicodeScalar], _ to: [UnicodeScalar]) -> Int {
        var rows = [Array(0...to.count)]
        for (i, letter) in from.enumerated() {
            var row = [i + 1]
            for (j, other) in to.enumerated() {
                let replaced = rows[i][j] + (letter == other ? 0 : 1)
                var best = min(replaced, rows[i][j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, letter == to[j - 1], from[i - 1] == other {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[from.count][to.count]
    }
}
