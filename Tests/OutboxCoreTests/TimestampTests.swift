// Times as programs read them.

import Foundation
import OutboxCore
import Testing

@Suite struct TimestampTests {
    @Test(
        "a time is written with its milliseconds, and read back",
        arguments: [
            (1_769_847_330_250, "2026-01-31T08:15:30.250Z"),
            // A Date would print .826.
            (1_700_000_000_827, "2023-11-14T22:13:20.827Z"),
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        ]
    )
    func roundTrip(milliseconds: Int64, text: String) throws {
        let moment = Timestamp(milliseconds: milliseconds)
        let json = try JSONEncoder().encode([moment])
        #expect(String(decoding: json, as: UTF8.self) == "[\"\(text)\"]")
        #expect(try JSONDecoder().decode([Timestamp].self, from: json) == [moment])
    }

    @Test("every millisecond of a second survives")
    func everyMillisecond() {
        for milliseconds in 1_790_000_000_000..<1_790_000_001_000 {
            let moment = Timestamp(milliseconds: Int64(milliseconds))
            #expect(Timestamp(rfc3339: moment.rfc3339) == moment)
        }
    }

    @Test("the fraction is optional, and other texts are refused")
    func reading() {
        #expect(Timestamp(rfc3339: "2026-01-31T08:15:30Z") == Timestamp(milliseconds: 1_769_847_330_000))
        #expect(Timestamp(rfc3339: "yesterday") == nil)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Timestamp].self, from: Data(#"["x"]"#.utf8)) }
    }

    @Test(
        "a duration is truncated to whole milliseconds, toward zero",
        arguments: [
            (.zero, 0), (.milliseconds(300_000), 300_000), (.nanoseconds(999_999), 0), (.nanoseconds(-999_999), 0),
            (.microseconds(-1001), -1), (.seconds(-3) - .nanoseconds(999_999_999), -3999),
            (.seconds(9_223_372_036_854_775) + .milliseconds(807), .max),
        ] as [(Duration, Int64)]
    )
    func wholeMilliseconds(duration: Duration, milliseconds: Int64) {
        #expect(duration.inMilliseconds == milliseconds)
        let (seconds, attoseconds) = duration.components
        #expect(duration.inMilliseconds == seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }
}
