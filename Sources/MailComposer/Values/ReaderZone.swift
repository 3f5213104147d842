// The time zone in which a mail states its times. Never guesses a zone from an address.

import Foundation
import OutboxCore
import Synchronization

/// A time zone and its name in the reader's language.
struct ReaderZone: Sendable {
    /// `nil` for UTC.
    private let rules: TimeZoneRules?
    /// Such as `UTC`, `日本時間` or `Central European Time`.
    let name: String

    static let utc = ReaderZone(rules: nil, name: "UTC")

    /// A moment in this zone, as the calendar fields of its clocks.
    func fields(at moment: Timestamp) -> CalendarFields {
        CalendarFields(rules.map { moment + $0.offset(at: moment) } ?? moment)
    }

    /// The zone of a language whose readers nearly all live in one: Japanese, Korean and Chinese. UTC for others,
    /// because English or Spanish doesn't say where somebody is.
    static func ofLanguage(_ language: LanguageTag) -> ReaderZone {
        // Taipei, Hong Kong and Macau have the same clock, and no common name for it.
        if language.text == "zh-hant", let rules = TimeZoneRules(named: "Asia/Taipei") {
            return ReaderZone(rules: rules, name: "UTC+8")
        }
        return usual[language.text].map { zone(named: $0, in: language) } ?? utc
    }

    private static let usual = ["ja": "Asia/Tokyo", "ko": "Asia/Seoul", "zh-hans": "Asia/Shanghai"]

    /// The zone of this name; UTC if there is none.
    static func zone(named name: String, in language: LanguageTag) -> ReaderZone {
        cache.withLock { cache in
            let key = Key(zone: name, language: language.text)
            if let known = cache[key] { return known }
            let zone = TimeZoneRules(named: name).map { ReaderZone(rules: $0, name: displayName(name, in: language)) }
            // Applications may write any name into a row, so the names have no limit.
            if cache.count >= cacheLimit { cache.removeAll() }
            cache[key] = zone ?? utc
            return zone ?? utc
        }
    }

    private struct Key: Hashable {
        let zone: String
        let language: String
    }

    /// There are 600 names of zones.
    private static let cacheLimit = 2000
    private static let cache = Mutex<[Key: ReaderZone]>([:])

    /// The names that people use, where CLDR has a longer or a foreign one.
    private static let ownNames: [Key: String] = [
        Key(zone: "Asia/Tokyo", language: "ja"): "日本時間", Key(zone: "Asia/Seoul", language: "ko"): "한국 시간",
        Key(zone: "Asia/Shanghai", language: "zh-hans"): "北京时间",
        Key(zone: "Asia/Taipei", language: "zh-hant"): "台北時間",
        Key(zone: "Asia/Hong_Kong", language: "zh-hant"): "香港時間",
        Key(zone: "Asia/Macau", language: "zh-hant"): "澳門時間",
    ]

    private static func displayName(_ zone: String, in language: LanguageTag) -> String {
        if let own = ownNames[Key(zone: zone, language: language.text)] { return own }
        if ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu"].contains(zone) { return "UTC" }
        let name = TimeZone(identifier: zone)?.localizedName(for: .generic, locale: Locale(identifier: language.text))
        // A zone that is newer than CLDR: its city.
        return name ?? zone.split(separator: "/").last.map { String($0).replacing("_", with: " ") } ?? zone
    }
}
