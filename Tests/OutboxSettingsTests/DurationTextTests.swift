// Durations as people write them.

import Testing

@testable import OutboxSettings

@Suite struct DurationTextTests {
    @Test(
        "a duration is read with its units",
        arguments: [
            ("0s", Duration.zero), ("5s", .seconds(5)), ("1m30s", .seconds(90)), ("24h", .seconds(86_400)),
            ("250ms", .milliseconds(250)), ("2d", .seconds(172_800)), ("1d2h3m4s5ms", .milliseconds(93_784_005)),
            ("90s", .seconds(90)), ("1m5ms", .milliseconds(60_005)), ("007s", .seconds(7)),
            ("9223372036854775807ms", .milliseconds(Int64.max)),
        ]
    )
    func reads(text: String, duration: Duration) throws {
        #expect(try Duration(settingText: text) == duration)
    }

    @Test(
        "what is no duration is refused with a hint",
        arguments: [
            ("24", "add a unit"), ("0", "add a unit"), ("-5s", "cannot be negative"), ("1.5h", "whole numbers"),
            ("1,5h", "whole numbers"), ("5 s", "remove the spaces"), ("1h 30m", "remove the spaces"),
            ("5S", "the units are"), ("5min", "the units are"), ("1w", "the units are"), ("", "the units are"),
            ("s", "the units are"), ("5s3", "the units are"), ("+5s", "the units are"), ("٥s", "the units are"),
            ("30s1m", "the largest first"), ("1m1m", "write each unit once"), ("1ms1s", "the largest first"),
            ("9223372036854775808ms", "not so long"), ("9223372036854775807s", "not so long"),
            ("99999999999999999999d", "not so long"), ("106751991167d9223372036854775807ms", "not so long"),
        ]
    )
    func refuses(text: String, hint: String) throws {
        let error = try #require(throws: InvalidSetting.self) { try Duration(settingText: text) }
        #expect("\(error)".contains(hint), "\(error)")
    }

    @Test(
        "a duration is written with the largest units and no zero parts",
        arguments: [
            (Duration.zero, "0s"), (.seconds(5), "5s"), (.seconds(60), "1m"), (.seconds(90), "1m30s"),
            (.seconds(86_400), "1d"), (.milliseconds(250), "250ms"), (.milliseconds(3_600_001), "1h1ms"),
            (.microseconds(1500), "1ms"), (.microseconds(1), "0s"), (.seconds(-90), "-1m30s"),
            (.seconds(Int64.min), "-106751991167300d15h30m8s"),
        ]
    )
    func writes(duration: Duration, text: String) {
        #expect(duration.settingText == text)
    }

    @Test("a written duration is read as the same duration")
    func roundTrip() throws {
        var generator = SystemRandomNumberGenerator()
        for bits in 0..<63 {
            let most = Int64(1) << Int64(bits)
            for milliseconds in [most, most - 1, Int64.random(in: 0...most, using: &generator)] {
                let duration = Duration.milliseconds(milliseconds)
                #expect(try Duration(settingText: duration.settingText) == duration)
            }
        }
    }
}
