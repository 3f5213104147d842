// Spans and times in words, in the shipped languages by hand and in all others as CLDR has them. Reads no clock.

import Foundation

/// How a language writes spans, times of day and dates.
///
/// Foundation takes a hundred times as long, and CLDR's Arabic has digits that many mail programs show in the wrong order.
enum TimeWords: Sendable {
    case english, german, french, spanish, portuguese, japanese, korean, simplifiedChinese, traditionalChinese, arabic
    /// Any other language.
    case other(LanguageTag)

    init(_ language: LanguageTag) {
        self =
            switch language.text {
            case "zh-hans": .simplifiedChinese
            case "zh-hant": .traditionalChinese
            default:
                switch language.language {
                case "en": .english
                case "de": .german
                case "fr": .french
                case "es": .spanish
                case "pt": .portuguese
                case "ja": .japanese
                case "ko": .korean
                case "ar": .arabic
                default: .other(language)
                }
            }
    }

    /// A part of a span.
    enum Unit {
        case day, hour, minute

        var minutes: Int {
            switch self {
            case .day: 1440
            case .hour: 60
            case .minute: 1
            }
        }
    }

    // MARK: Spans

    /// A span in one or two units, such as `2 hours 30 minutes`.
    func span(_ parts: [(count: Int, unit: Unit)]) -> String {
        switch self {
        case .english: joined(parts, day: ("day", "days"), hour: ("hour", "hours"), minute: ("minute", "minutes"))
        case .german: joined(parts, day: ("Tag", "Tage"), hour: ("Stunde", "Stunden"), minute: ("Minute", "Minuten"))
        case .french: joined(parts, day: ("jour", "jours"), hour: ("heure", "heures"), minute: ("minute", "minutes"))
        case .spanish: joined(parts, day: ("día", "días"), hour: ("hora", "horas"), minute: ("minuto", "minutos"))
        case .portuguese: joined(parts, day: ("dia", "dias"), hour: ("hora", "horas"), minute: ("minuto", "minutos"))
        case .japanese: glued(parts, day: "日", hour: "時間", minute: "分")
        case .korean: glued(parts, day: "일", hour: "시간", minute: "분", separator: " ")
        case .simplifiedChinese: glued(parts, day: "天", hour: "小时", minute: "分钟", gap: " ", separator: " ")
        case .traditionalChinese: glued(parts, day: "天", hour: "小時", minute: "分鐘", gap: " ", separator: " ")
        case .arabic: parts.map { Self.arabic($0.count, $0.unit) }.joined(separator: " و")
        case .other(let language):
            Duration.seconds(parts.reduce(0) { $0 + $1.count * $1.unit.minutes * 60 }).formatted(
                .units(allowed: [.days, .hours, .minutes], width: .wide).locale(Locale(identifier: language.text))
            )
        }
    }

    private typealias Forms = (one: String, other: String)

    private func joined(_ parts: [(count: Int, unit: Unit)], day: Forms, hour: Forms, minute: Forms) -> String {
        parts.map { count, unit in
            let forms =
                switch unit {
                case .day: day
                case .hour: hour
                case .minute: minute
                }
            return "\(count) \(count == 1 ? forms.one : forms.other)"
        }.joined(separator: " ")
    }

    private func glued(
        _ parts: [(count: Int, unit: Unit)],
        day: String,
        hour: String,
        minute: String,
        gap: String = "",
        separator: String = ""
    ) -> String {
        parts.map { count, unit in
            switch unit {
            case .day: "\(count)\(gap)\(day)"
            case .hour: "\(count)\(gap)\(hour)"
            case .minute: "\(count)\(gap)\(minute)"
            }
        }.joined(separator: separator)
    }

    /// CLDR's plural forms of Arabic: one, two, few (…03 to …10), many (…11 to …99), other (…00 to …02).
    private static func arabic(_ count: Int, _ unit: Unit) -> String {
        let forms: (one: String, two: String, few: String, many: String, other: String) =
            switch unit {
            case .day: ("يوم واحد", "يومان", "أيام", "يومًا", "يوم")
            case .hour: ("ساعة واحدة", "ساعتان", "ساعات", "ساعة", "ساعة")
            case .minute: ("دقيقة واحدة", "دقيقتان", "دقائق", "دقيقة", "دقيقة")
            }
        switch (count, count % 100) {
        case (1, _): return forms.one
        case (2, _): return forms.two
        case (_, 3...10): return "\(count) \(forms.few)"
        case (_, 11...99): return "\(count) \(forms.many)"
        default: return "\(count) \(forms.other)"
        }
    }

    // MARK: Times

    /// The time of day with its zone, such as `14:30 UTC`.
    func clock(_ time: CalendarFields, zone: String) -> String {
        switch self {
        case .english: zone == "UTC" ? "\(time.clock) UTC" : "\(time.clock) (\(zone))"
        case .german: "\(time.clock) Uhr (\(zone))"
        case .french, .spanish, .portuguese, .arabic: "\(time.clock) (\(zone))"
        case .japanese, .simplifiedChinese, .traditionalChinese: "\(time.clock)（\(zone)）"
        case .korean: "\(time.clock)(\(zone))"
        case .other: zone == "UTC" ? "\(time.clock) UTC" : "\(time.clock) (\(zone))"
        }
    }

    /// The date and the time of day, such as `23 November 2026, 14:30 UTC`.
    func dateAndClock(_ time: CalendarFields, zone: String) -> String {
        let (year, month, day) = (time.year, time.month, time.day)
        let clock = clock(time, zone: zone)
        switch self {
        case .english: return "\(day) \(CalendarFields.englishMonths[month - 1]) \(year), \(clock)"
        case .german: return "\(day). \(Self.germanMonths[month - 1]) \(year), \(clock)"
        case .french: return "\(day == 1 ? "1er" : "\(day)") \(Self.frenchMonths[month - 1]) \(year) à \(clock)"
        case .spanish: return "\(day) de \(Self.spanishMonths[month - 1]) de \(year), \(clock)"
        case .portuguese: return "\(day) de \(Self.portugueseMonths[month - 1]) de \(year), \(clock)"
        case .arabic: return "\(day) \(Self.arabicMonths[month - 1]) \(year)، \(clock)"
        case .japanese, .simplifiedChinese, .traditionalChinese: return "\(year)年\(month)月\(day)日 \(clock)"
        case .korean: return "\(year)년 \(month)월 \(day)일 \(clock)"
        case .other(let language):
            var style = Date.FormatStyle(locale: Locale(identifier: language.text), timeZone: .gmt)
                .day().month(.wide).year()
            style.calendar = Calendar(identifier: .gregorian)
            // CLDR has narrow no-break spaces, which some mail programs show as a box.
            let date = time.dateInGMT.formatted(style).replacing("\u{202F}", with: "\u{A0}")
            return "\(date), \(clock)"
        }
    }

    private static let germanMonths = [
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
        "Dezember",
    ]
    private static let frenchMonths = [
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
        "décembre",
    ]
    private static let spanishMonths = [
        "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
        "diciembre",
    ]
    private static let portugueseMonths = [
        "janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro",
        "dezembro",
    ]
    private static let arabicMonths = [
        "يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر",
    ]
}
