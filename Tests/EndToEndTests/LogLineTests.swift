// The lines of the log: octets and times are put together in short ways, with the result of the long ones.

import Foundation
import InternetMessage
import TestSupport
import Testing

@testable import outboxd

@Suite("A line of the log")
struct LogLineTests {
    @Test("quotes a value that is empty, or has a space, a control character, a quote or an equals sign, and no other")
    func quotes() {
        let pieces = [
            "abc", "-._:/@", " ", "\"", "=", "\n", "\u{1B}", "\u{7F}", "\u{A0}", "ü", "東京", "\\", "\u{2028}", "~", "!",
        ]
        var random = SplitMix(seed: 1)
        for _ in 0..<5000 {
            let count = Int.random(in: 0...4, using: &random)
            let value = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            let needsQuotes = value.unicodeScalars.contains { scalar in
                scalar.properties.isWhitespace || scalar.isControl || scalar == "\"" || scalar == "="
            }
            let expected = value.isEmpty || needsQuotes ? "\"\(value.escaped)\"" : value
            var line = LogLine()
            line.append("message accepted")
            line.append("key", value)
            line.append("next", "1")
            #expect(String(decoding: line.octets, as: UTF8.self) == "message accepted key=\(expected) next=1")
        }
    }

    @Test("has the time that Foundation writes, whatever the time before")
    func times() {
        let clock = LogClock()
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        var random = SplitMix(seed: 2)
        var moment = 0.0
        for _ in 0..<3000 {
            switch Int.random(in: 0...3, using: &random) {
            case 0: moment = Double.random(in: 0...4e9, using: &random)
            case 1: moment = Double(Int64.random(in: 0...4_000_000_000_000, using: &random)) / 1000
            case 2: moment += 0.001
            default: moment -= Double.random(in: 0...0.5, using: &random)
            }
            let time = Date(timeIntervalSince1970: moment)
            #expect(String(decoding: clock.octets(at: time), as: UTF8.self) == time.formatted(style), "\(moment)")
        }
    }
}
