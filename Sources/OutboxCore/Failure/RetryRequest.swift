// How long a relay's words ask to wait. Parses free text, so it accepts only plausible values.

import InternetMessage

/// Reads "try again in 5 minutes", "greylisted for 300 seconds", "retry after 00:04:58" from a temporary refusal.
///
/// There is no standard for these words; the forms are those of postgrey, milter-greylist, Exim's and cPanel's
/// configurations.
enum RetryRequest {
    /// The accepted range: a shorter delay is a mistake, a longer one is useless to a person who waits for a link.
    static let believable = Duration.seconds(1)...Duration.seconds(3600)

    /// - Returns: `nil` where the text asks for nothing, or for an implausible delay.
    static func duration(in text: String) -> Duration? {
        let words = text.lowercased().split(whereSeparator: { $0.isWhitespace || "(),;!?".contains($0) })
        for (index, word) in words.enumerated().dropFirst()
        where ["in", "for", "after"].contains(words[index - 1]) {
            let unit = index + 1 < words.count ? words[index + 1] : ""
            guard let seconds = seconds(word.trimmed, unit.trimmed) else { continue }
            let duration = Duration.seconds(seconds)
            return believable.contains(duration) ? duration : nil
        }
        return nil
    }

    /// `5` followed by a unit, `300s`, or `00:04:58`.
    private static func seconds(_ number: Substring, _ unit: Substring) -> Int? {
        let fields = number.split(separator: ":", omittingEmptySubsequences: false)
        if fields.count > 1 {
            let numbers = fields.compactMap { plainNumber($0) }
            guard numbers.count == fields.count, numbers.count <= 3 else { return nil }
            return numbers.reduce(0) { $0 * 60 + $1 }
        }
        let digits = number.prefix(while: \.isASCIIDigit)
        let unit = digits.count == number.count ? unit : number.dropFirst(digits.count)
        guard let count = plainNumber(digits) else { return nil }
        switch unit {
        case "s", "sec", "secs", "second", "seconds": return count
        case "m", "min", "mins", "minute", "minutes": return count * 60
        case "h", "hr", "hour", "hours": return count * 3600
        default: return nil
        }
    }

    private static func plainNumber(_ text: Substring) -> Int? {
        (1...5).contains(text.count) && text.allSatisfy(\.isASCIIDigit) ? Int(text) : nil
    }
}

extension Substring {
    fileprivate var trimmed: Substring { last == "." ? dropLast() : self }
}
