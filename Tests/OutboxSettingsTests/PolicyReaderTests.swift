// Limits, older mails, guidance and suppression: the permitted ranges, and combinations of keys.

import OutboxCore
import Testing

@testable import OutboxSettings

@Suite struct PolicyReaderTests {
    @Test("the smallest values are accepted")
    func least() throws {
        let settings = try Fixture.read(
            Fixture.minimal + """
                limits: {minimum_interval: 0s, per_hour: 1}
                keep_older: []
                guidance: {patience: 10s, resends: 0, window: 1m}
                suppression: {duration: 1h}
                retention: 1h

                """
        )
        #expect(settings.rules.limits?.minimumInterval == .zero)
        #expect(settings.rules.limits?.perHour == 1)
        #expect(settings.rules.keepOlder == [])
        #expect(settings.guidance.patience == .seconds(10))
        #expect(settings.guidance.resends == 0)
        #expect(settings.guidance.window == .seconds(60))
        #expect(settings.rules.suppression == .seconds(3600))
        #expect(settings.times.retention == .seconds(3600))
    }

    @Test("the largest values are accepted")
    func greatest() throws {
        let settings = try Fixture.read(
            Fixture.minimal + """
                limits: {minimum_interval: 1h, per_hour: 1000}
                keep_older: [verify-email, reset-password]
                guidance: {patience: 1h, resends: 10, window: 7d}
                suppression: {duration: 3650d}
                retention: 3650d

                """
        )
        #expect(settings.rules.limits?.minimumInterval == .seconds(3600))
        #expect(settings.rules.limits?.perHour == 1000)
        #expect(settings.rules.keepOlder == ["verify-email", "reset-password"])
        #expect(settings.guidance.patience == .seconds(3600))
        #expect(settings.guidance.resends == 10)
        #expect(settings.guidance.window == .seconds(604_800))
        #expect(settings.rules.suppression == .seconds(315_360_000))
        #expect(settings.times.retention == .seconds(315_360_000))
    }

    @Test("messages are kept for thirty days, or for ever")
    func retention() throws {
        #expect(try Fixture.read(Fixture.minimal).times.retention == .seconds(30 * 86_400))
        #expect(try Fixture.read(Fixture.minimal + "retention: none\n").times.retention == nil)
    }

    @Test(
        "a value that is wrong is explained",
        arguments: [
            (
                "limits: 60s",
                "limits: expected a mapping with the keys minimum_interval and per_hour, found \"60s\""
            ),
            (
                "limits: {minimum_interval: 60m1s}",
                "limits.minimum_interval: expected a duration from 0s to 1h, found \"60m1s\""
            ),
            ("retention: 30m", "retention: expected a duration from 1h to 3650d, found \"30m\""),
            (
                "retention: 2h\nguidance: {window: 3h}",
                "retention: 2h is shorter than guidance.window (3h), so requests would be forgotten that the advice counts; "
                    + "raise retention, or lower guidance.window"
            ),
            (
                "limits: {per_hour: 0}",
                "limits.per_hour: expected a whole number from 1 to 1000, found the number \"0\""
            ),
            (
                "limits: {per_hour: 1001}",
                "limits.per_hour: expected a whole number from 1 to 1000, found the number \"1001\""
            ),
            (
                "limits: {per_hours: 5}",
                "limits.per_hours: unknown key; did you mean \"per_hour\"? (keys here: minimum_interval, per_hour)"
            ),
            (
                "guidance: 5m",
                "guidance: expected a mapping with the keys patience, resends and window, found \"5m\""
            ),
            ("guidance: {patience: 9s}", "guidance.patience: expected a duration from 10s to 1h, found \"9s\""),
            ("guidance: {patience: 2h}", "guidance.patience: expected a duration from 10s to 1h, found \"2h\""),
            (
                "guidance: {resends: 11}",
                "guidance.resends: expected a whole number from 0 to 10, found the number \"11\""
            ),
            ("guidance: {window: 59s}", "guidance.window: expected a duration from 1m to 7d, found \"59s\""),
            ("guidance: {window: 8d}", "guidance.window: expected a duration from 1m to 7d, found \"8d\""),
            ("guidance: {wait: 5m}", "guidance.wait: unknown key (keys here: patience, resends, window)"),
            ("suppression: 30d", "suppression: expected a mapping with the key duration, found \"30d\""),
            (
                "suppression: {duration: 59m}",
                "suppression.duration: expected a duration from 1h to 3650d, found \"59m\""
            ),
            (
                "suppression: {duration: 3651d}",
                "suppression.duration: expected a duration from 1h to 3650d, found \"3651d\""
            ),
            ("suppression: {days: 30}", "suppression.days: unknown key (keys here: duration)"),
            (
                "keep_older: true",
                "keep_older: expected a list of kinds of mail such as [verify-email], found the boolean \"true\""
            ),
            (
                "keep_older: [Invite]",
                """
                keep_older[0]: expected the name of a kind of mail: 1 to 64 lower-case letters, digits and hyphens, \
                a letter first, found "Invite"
                """
            ),
            (
                "keep_older: [verify-email, [a]]",
                "keep_older[1]: expected the name of a kind of mail, found a list"
            ),
            (
                "keep_older: [verify-email, reset-pasword]",
                """
                keep_older[1]: expected a kind of mail that has a line in links, found "reset-pasword"; did you mean \
                reset-password?
                """
            ),
            (
                "keep_older: [invoice]",
                """
                keep_older[0]: expected a kind of mail that has a line in links, found "invoice"; add its line there, \
                or remove it here
                """
            ),
            (
                "keep_older: [verify-email, reset-password, verify-email]",
                "keep_older[2]: \"verify-email\" is also keep_older[0]; remove one of the two"
            ),
        ]
    )
    func wrong(line: String, message: String) {
        #expect(Fixture.problems(Fixture.minimal + line + "\n") == ["line 7: \(message)"])
    }

    @Test("the window is at least the patience, whether set or default")
    func windowBelowPatience() throws {
        let text = Fixture.minimal + "guidance:\n  patience: 2m\n  window: "
        #expect(
            Fixture.problems(text + "119s\n") == [
                "line 9: guidance.window: 1m59s is shorter than patience (2m), so a request would be forgotten before "
                    + "anyone is told to repeat it; raise window, or lower patience"
            ]
        )
        #expect(try Fixture.read(text + "2m\n").guidance.window == .seconds(120))
        let byDefault = Fixture.problems(Fixture.minimal + "guidance: {window: 4m}\n")
        #expect(byDefault.count == 1)
        #expect(byDefault.first?.contains("4m is shorter than patience (5m)") == true)
    }

    @Test("a refused patience causes no second problem with the window")
    func patienceRefused() {
        #expect(
            Fixture.problems(Fixture.minimal + "guidance: {patience: 5, window: 4m}\n") == [
                "line 7: guidance.patience: expected a duration such as 5s, 1m30s or 24h, found the number \"5\"; add "
                    + "a unit"
            ]
        )
    }

    @Test("invalid links cause no second problem with keep_older")
    func linksRefused() {
        let text = Fixture.minimal.replacing("https://cloudone.trendmicro.com/v", with: "ftp://example.com/v")
        let problems = Fixture.problems(text + "keep_older: [verify-email]\n")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("line 5: links.verify-email: ") == true)
    }
}
