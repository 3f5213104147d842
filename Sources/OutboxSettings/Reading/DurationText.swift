// Durations as people write them: 5s, 1m30s, 24h, 250ms, 2d. Reads and writes that form.
// Never guesses the unit of a bare number.

extension Duration {
    /// The units that can be written, largest first, in milliseconds.
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Parses a setting's duration: whole numbers with the units d, h, m, s and ms, each at most once and the largest
    /// first, without spaces.
    package init(settingText text: String) throws(InvalidSetting) {
        let expected = "a duration such as 5s, 1m30s or 24h"
        guard text.wholeMatch(of: /[0-9]+/) == nil else {
            throw .expected(expected, hint: "add a unit")
        }
        guard !text.hasPrefix("-") else {
            throw .expected(expected, hint: "a duration cannot be negative")
        }
        guard !text.contains("."), !text.contains(",") else {
            throw .expected(expected, hint: "use whole numbers, such as 1m30s for one and a half minutes")
        }
        guard !text.contains(" ") else {
            throw .expected(expected, hint: "remove the spaces")
        }
        var rest = Substring(text)
        var unitsLeft = Self.units[...]
        var milliseconds: Int64 = 0
        repeat {
            guard let match = rest.prefixMatch(of: /([0-9]+)([a-z]+)/),
                let unit = Self.units.firstIndex(where: { $0.name == match.2 })
            else {
                throw .expected(expected, hint: "the units are d, h, m, s and ms")
            }
            guard unitsLeft.indices.contains(unit) else {
                throw .expected(expected, hint: "write each unit once, the largest first")
            }
            unitsLeft = unitsLeft[(unit + 1)...]
            guard let number = Int64(match.1) else { throw .expected("\(expected), not so long") }
            let product = number.multipliedReportingOverflow(by: Self.units[unit].milliseconds)
            let sum = milliseconds.addingReportingOverflow(product.partialValue)
            guard !product.overflow, !sum.overflow else { throw .expected("\(expected), not so long") }
            milliseconds = sum.partialValue
            rest = rest[match.range.upperBound...]
        } while !rest.isEmpty
        self = .milliseconds(milliseconds)
    }

    /// The duration in the configuration file's form: the largest units first, no zero parts (`1m30s`, `1d`, `0s`).
    /// Parts below a millisecond are dropped; a negative duration has a minus sign.
    package var settingText: String {
        let (seconds, attoseconds) = components
        var parts = ""
        var left = seconds.magnitude
        for unit in Self.units where unit.milliseconds >= 1000 {
            let length = UInt64(unit.milliseconds / 1000)
            if left >= length { parts += "\(left / length)\(unit.name)" }
            left %= length
        }
        let milliseconds = attoseconds.magnitude / 1_000_000_000_000_000
        if milliseconds > 0 { parts += "\(milliseconds)ms" }
        if parts.isEmpty { return "0s" }
        return seconds < 0 || attoseconds < 0 ? "-\(parts)" : parts
    }
}
