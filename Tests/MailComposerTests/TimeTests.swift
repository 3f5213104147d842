// Times and spans in the mail: zones of readers, and words of each shipped language.

import Foundation
import MailTemplates
import OutboxCore
import Testing

@testable import MailComposer

@Suite struct TimeTests {
    /// 23 November 2026, 14:00 UTC.
    private static let moment = Fixtures.requestedAt

    private static func words(_ language: String) throws -> TimeWords {
        TimeWords(try #require(LanguageTag(language)))
    }

    @Test(
        "a span of 1, 2, 3 or 11 has the plural form of its language",
        arguments: [
            ("en", ["1 minute", "2 minutes", "3 minutes", "11 minutes", "1 hour", "2 days"]),
            ("de", ["1 Minute", "2 Minuten", "3 Minuten", "11 Minuten", "1 Stunde", "2 Tage"]),
            ("fr", ["1 minute", "2 minutes", "3 minutes", "11 minutes", "1 heure", "2 jours"]),
            ("es", ["1 minuto", "2 minutos", "3 minutos", "11 minutos", "1 hora", "2 días"]),
            ("pt-BR", ["1 minuto", "2 minutos", "3 minutos", "11 minutos", "1 hora", "2 dias"]),
            ("ja", ["1分", "2分", "3分", "11分", "1時間", "2日"]),
            ("ko", ["1분", "2분", "3분", "11분", "1시간", "2일"]),
            ("zh-Hans", ["1 分钟", "2 分钟", "3 分钟", "11 分钟", "1 小时", "2 天"]),
            ("zh-Hant", ["1 分鐘", "2 分鐘", "3 分鐘", "11 分鐘", "1 小時", "2 天"]),
            ("ar", ["دقيقة واحدة", "دقيقتان", "3 دقائق", "11 دقيقة", "ساعة واحدة", "يومان"]),
        ]
    )
    func plurals(language: String, expected: [String]) throws {
        let minutes = [1, 2, 3, 11, 60, 2880]
        let spans = try minutes.map { minutes in
            try Self.lifetime(.seconds(minutes * 60), language)["in"]
        }
        #expect(spans == expected.map { .string($0) })
    }

    @Test(
        "a span of two units reads as the language writes it",
        arguments: [
            ("en", "2 hours 30 minutes"), ("de", "2 Stunden 30 Minuten"), ("fr", "2 heures 30 minutes"),
            ("es", "2 horas 30 minutos"), ("pt-BR", "2 horas 30 minutos"), ("ja", "2時間30分"), ("ko", "2시간 30분"),
            ("zh-Hans", "2 小时 30 分钟"), ("zh-Hant", "2 小時 30 分鐘"), ("ar", "ساعتان و30 دقيقة"),
        ]
    )
    func twoUnits(language: String, expected: String) throws {
        #expect(try Self.lifetime(.seconds(9000), language)["in"] == .string(expected))
    }

    private static func lifetime(_ span: Duration, _ language: String) throws -> [String: JSONValue] {
        LinkLifetime(beginning: .request, beginsAt: moment, expiresAt: moment + span)
            .members(in: try words(language), zone: .utc)
    }

    @Test(
        "a date has its language's order and words, and its zone's name",
        arguments: [
            ("en", "23 November 2026, 15:00 (Central European Time)"),
            ("de", "23. November 2026, 15:00 Uhr (Mitteleuropäische Zeit)"),
            ("fr", "23 novembre 2026 à 15:00 (heure d’Europe centrale)"),
            ("es", "23 de noviembre de 2026, 15:00 (hora de Europa central)"),
            ("pt-BR", "23 de novembro de 2026, 15:00 (Horário da Europa Central)"),
            ("ja", "2026年11月23日 15:00（中央ヨーロッパ時間）"), ("ko", "2026년 11월 23일 15:00(중부유럽 시간)"),
            ("zh-Hans", "2026年11月23日 15:00（中欧时间）"), ("zh-Hant", "2026年11月23日 15:00（中歐時間）"),
            ("ar", "23 نوفمبر 2026، 15:00 (توقيت وسط أوروبا)"),
            ("nl", "23 november 2026, 15:00 (Midden-Europese tijd)"),
        ]
    )
    func dates(language: String, expected: String) throws {
        let tag = try #require(LanguageTag(language))
        let zone = ReaderZone.zone(named: "Europe/Berlin", in: tag)
        #expect(TimeWords(tag).dateAndClock(zone.fields(at: Self.moment), zone: zone.name) == expected)
    }

    @Test(
        "the date of a mail's header is that of RFC 5322",
        arguments: [
            (1_795_442_400_000, "Mon, 23 Nov 2026 14:00:00 +0000"), (0, "Thu, 1 Jan 1970 00:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"), (1_709_251_749_999, "Fri, 1 Mar 2024 00:09:09 +0000"),
            (253_402_300_800_000, "Sat, 1 Jan 10000 00:00:00 +0000"),
        ]
    )
    func headerDates(milliseconds: Int64, expected: String) {
        var bytes: [UInt8] = []
        CalendarFields(Timestamp(milliseconds: milliseconds)).appendRFC5322(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test(
        "every month and every day of a leap year has a date in every language",
        arguments: ["de", "fr", "es", "pt", "ar"]
    )
    func months(language: String) throws {
        let words = try Self.words(language)
        var dates: Set<String> = []
        for day in 0..<366 {
            // From 1 January 2028.
            let fields = CalendarFields(Timestamp(milliseconds: 1_830_297_600_000 + Int64(day) * 86_400_000))
            dates.insert(words.dateAndClock(fields, zone: "UTC"))
        }
        #expect(dates.count == 366)
        #expect(dates.allSatisfy { $0.contains("2028") && !$0.contains("\u{202F}") })
        if language == "fr" { #expect(dates.contains("1er août 2028 à 00:00 (UTC)")) }
    }

    @Test(
        "a row's zone decides, then the zone of the language if it has only one, then UTC",
        arguments: [
            ("en", nil, "14:00 UTC"), ("en", "Europe/Berlin", "15:00 (Central European Time)"),
            ("en", "America/St_Johns", "10:30 (Newfoundland Time)"), ("en", "Etc/UTC", "14:00 UTC"),
            ("en", "Nowhere/Atlantis", "14:00 UTC"), ("en", "right/Europe/Berlin", "14:00 UTC"),
            ("ja", nil, "23:00（日本時間）"), ("ja", "Asia/Tokyo", "23:00（日本時間）"),
            ("ja", "America/Los_Angeles", "6:00（アメリカ太平洋時間）"), ("ko", nil, "23:00(한국 시간)"),
            ("zh-CN", nil, "22:00（北京时间）"), ("zh-TW", nil, "22:00（UTC+8）"), ("zh-HK", "Asia/Macau", "22:00（澳門時間）"),
            ("zh-TW", "Asia/Taipei", "22:00（台北時間）"),
            ("fr", nil, "14:00 (UTC)"),
        ]
    )
    func zones(locale: String, zone: String?, expected: String) throws {
        let folder = try TemporaryFolder()
        for locale in ["en", "ja", "ko", "zh-Hans", "zh-Hant", "fr"] {
            try folder.writeTemplates("k/\(locale)", text: "{{requested.at}}\n")
        }
        let message = Message(
            id: 1,
            kind: "k",
            recipient: "a@b.example",
            token: Token("t"),
            locale: locale,
            timeZone: zone,
            envelopeID: "e",
            requestedAt: Self.moment
        )
        let mail = try folder.composer().compose(message)
        let clock = expected.hasPrefix("6:") ? "0" + expected : expected
        #expect(try PythonReader.read(mail).text == clock + "\n")
    }

    @Test("the machine's zones give Foundation's times, over summer time and back, and far in the future")
    func rules() throws {
        for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "America/Sao_Paulo"] {
            let rules = try #require(TimeZoneRules(named: name))
            let zone = try #require(TimeZone(identifier: name))
            for month in 0..<400 {
                let seconds = 1_600_000_000 + month * 2_629_746
                let expected = zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds)))
                let offset = rules.offset(at: Timestamp(milliseconds: Int64(seconds) * 1000))
                #expect(offset == .seconds(expected), "\(name) at \(seconds)")
            }
        }
    }

    @Test(
        "without the machine's file, or with a broken one, Foundation's data are used; a name that is a path is no zone"
    )
    func missingFiles() throws {
        let folder = try TemporaryFolder()
        try folder.write("Europe/Berlin", Data("TZif2".utf8) + Data(repeating: 0xFF, count: 100))
        try folder.write(
            "Asia/Tokyo",
            try Data(contentsOf: URL(filePath: "/usr/share/zoneinfo/Asia/Tokyo")).prefix(150)
        )
        for (name, hours) in [("Europe/Berlin", 1), ("Asia/Tokyo", 9), ("Asia/Seoul", 9)] {
            let rules = try #require(TimeZoneRules(named: name, folder: folder.path))
            #expect(rules.offset(at: Self.moment) == .seconds(hours * 3600))
        }
        for name in ["../../etc/passwd", "/etc/localtime", "", "A/B", String(repeating: "x", count: 100)] {
            #expect(TimeZoneRules(named: name) == nil)
        }
    }

    @Test("a zone that only the machine knows has the machine's time")
    func newZone() throws {
        let folder = try TemporaryFolder()
        try folder.write("Mars/Olympus_Mons", try Data(contentsOf: URL(filePath: "/usr/share/zoneinfo/Asia/Tokyo")))
        let rules = try #require(TimeZoneRules(named: "Mars/Olympus_Mons", folder: folder.path))
        #expect(rules.offset(at: Self.moment) == .seconds(9 * 3600))
    }
}
