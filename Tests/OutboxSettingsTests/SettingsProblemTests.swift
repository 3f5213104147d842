// The messages for an operator when the file is wrong.

import Testing

@testable import OutboxSettings

@Suite struct SettingsProblemTests {
    @Test("several mistakes are reported together, in file order")
    func several() throws {
        let text = """
            # outboxd
            database: outbox.db
            relays:
              - {url: "smtp://smtp.example.com", tsl: none, connections: many}
            links: {verify-email: "https://example.com/?token={token}"}
            sender:
              name: yes
              address: no-reply@example.com

            give_up_after: 24
            """
        let error = try #require(throws: SettingsError.self) { try SettingsFile.read(text, file: "outboxd.yaml") }
        #expect(
            error.description == """
                outboxd.yaml has 4 problems:
                  line 4: relays[0].tsl: unknown key; did you mean "tls"? (keys here: auth, ca_file, \
                connect_timeout, connections, content_timeout, data_timeout, dsn, final_dot_timeout, helo, idle, \
                mail_timeout, messages_per_connection, name, oauth, password, rate, rcpt_timeout, reply_timeout, \
                suspect_after, tls, url, user)
                  line 4: relays[0].connections: expected a whole number from 1 to 100, found "many"
                  line 7: sender.name: expected the name of the sender, found the boolean "yes"; put it in quotes if \
                it is meant as text
                  line 10: give_up_after: expected a duration such as 5s, 1m30s or 24h, found the number "24"; add a \
                unit
                """
        )
        #expect(error.problems.map(\.line) == [4, 4, 7, 10])
        #expect(error.problems.map(\.column) == [38, 62, 9, 16])
    }

    @Test("a single problem is announced as one")
    func single() throws {
        let text = Fixture.minimal + "lease: 1\n"
        let error = try #require(throws: SettingsError.self) { try SettingsFile.read(text, file: "a.yaml") }
        #expect(error.description.hasPrefix("a.yaml has 1 problem:\n  line 7: lease: expected a duration"))
    }

    @Test("an empty mapping lacks every required key")
    func missingKeys() {
        #expect(
            Fixture.problems("{}\n") == [
                "database: missing; add the path of the SQLite file that holds the outbox",
                "sender: missing; add the sender, such as {name: Example, address: no-reply@example.com}",
                "links: missing; add a line for each kind of mail, with the URL that its link leads to",
                "relays: missing; add a list with at least one relay",
            ]
        )
    }

    @Test("a required key that is mistyped is one problem, not two")
    func mistypedRequiredKey() {
        let problems = Fixture.problems(Fixture.minimal.replacing("database:", with: "databse:"))
        #expect(problems.count == 1)
        let start = "line 1: databse: unknown key; did you mean \"database\"? (keys here: ask_again, "
        #expect(problems.first?.hasPrefix(start) == true)
    }

    @Test("a key that is missing in a nested mapping is reported at that mapping")
    func missingNested() {
        let text = Fixture.minimal.replacing("address: no-reply@cloudone.trendmicro.com", with: "")
        #expect(
            Fixture.problems(text) == [
                "line 2: sender.address: missing; add the address that the mails come from, such as "
                    + "no-reply@example.com"
            ]
        )
    }

    @Test(
        "a line that is wrong is explained",
        arguments: [
            (
                "templates:",
                """
                templates: expected the path of the folder with the templates, found nothing; give a value or \
                remove the line
                """
            ),
            (
                "templates: ~",
                """
                templates: expected the path of the folder with the templates, found nothing; give a value or \
                remove the line
                """
            ),
            (
                "templates: ''",
                """
                templates: expected the path of the folder with the templates, found \"\"; give a value or remove \
                the line
                """
            ),
            (
                "templates: ~/mails",
                """
                templates: expected the path of the folder with the templates, found \"~/mails\"; ~ does not stand \
                for a folder here; write the whole path
                """
            ),
            ("templates: [a]", "templates: expected the path of the folder with the templates, found a list"),
            ("templates: {a: b}", "templates: expected the path of the folder with the templates, found a mapping"),
            (
                "templates: 0123",
                """
                templates: expected the path of the folder with the templates, found the number \"0123\"; put it in \
                quotes if it is meant as text
                """
            ),
            (
                "templates: !!binary aGk=",
                """
                templates: expected the path of the folder with the templates, found a value with a YAML tag; \
                remove the tag
                """
            ),
            (
                "templates: \"a\\eb\"",
                """
                templates: expected the path of the folder with the templates without control characters, found \
                \"a\\u{1B}b\"
                """
            ),
            (
                "lease: -5s",
                "lease: expected a duration such as 5s, 1m30s or 24h, found \"-5s\"; a duration cannot be negative"
            ),
            ("lease: 1s", "lease: expected a duration from 10s to 1d, found \"1s\""),
            ("lease: '900'", "lease: expected a duration such as 5s, 1m30s or 24h, found \"900\"; add a unit"),
            (
                "lease: soon",
                "lease: expected a duration such as 5s, 1m30s or 24h, found \"soon\"; the units are d, h, m, s and ms"
            ),
            ("lease: [5s]", "lease: expected a duration such as 5s, 1m30s or 24h, found a list"),
            ("give_up_after: 59s", "give_up_after: expected a duration from 1m to 30d, found \"59s\""),
            ("poll_interval: 0s", "poll_interval: expected a duration from 10ms to 1h, found \"0s\""),
            ("shutdown_grace: 11m", "shutdown_grace: expected a duration from 0s to 10m, found \"11m\""),
            ("retry: 5s", "retry: expected a mapping with the keys delays and jitter, found \"5s\""),
            ("retry: {delays: 5s}", "retry.delays: expected a list of durations such as [5s, 30s, 2m], found \"5s\""),
            (
                "retry: {delays: []}",
                "retry.delays: expected a list of durations such as [5s, 30s, 2m] with 1 to 100 entries, found 0"
            ),
            (
                "retry: {delays: [5s, 10]}",
                "retry.delays[1]: expected a duration such as 5s, 1m30s or 24h, found the number \"10\"; add a unit"
            ),
            ("retry: {jitter: 0.6}", "retry.jitter: expected a number from 0 to 0.5, found the number \"0.6\""),
            ("retry: {jitter: 20%}", "retry.jitter: expected a number from 0 to 0.5, found \"20%\""),
            ("retry: {jitter: .nan}", "retry.jitter: expected a number from 0 to 0.5, found the number \".nan\""),
            ("log: debug", "log: expected a mapping with the key level, found \"debug\""),
            (
                "log: {level: verbose}",
                "log.level: expected one of trace, debug, info, notice, warning, error, critical, found \"verbose\""
            ),
            (
                "log: {level: warn}",
                """
                log.level: expected one of trace, debug, info, notice, warning, error, critical, found \"warn\"; \
                did you mean warning?
                """
            ),
            (
                "log: {level: Info}",
                """
                log.level: expected one of trace, debug, info, notice, warning, error, critical, found \"Info\"; \
                did you mean info?
                """
            ),
            ("log: {levle: info}", "log.levle: unknown key; did you mean \"level\"? (keys here: level)"),
            ("log: {colour: red}", "log.colour: unknown key (keys here: level)"),
            ("log: {[a]: red}", "log.\"?\": expected the name of a key (keys here: level), found a list"),
            ("log: {<<: {level: info}}", "log.\"<<\": unknown key (keys here: level)"),
        ]
    )
    func wrongLine(line: String, message: String) {
        #expect(Fixture.problems(Fixture.minimal + line + "\n") == ["line 7: \(message)"])
    }

    @Test("a long value is cut and control characters are made visible")
    func longValue() {
        let problems = Fixture.problems(Fixture.minimal + "lease: \"\\x07\(String(repeating: "x", count: 500))\"\n")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("found \"\\u{07}xxx") == true)
        #expect(problems.first?.contains("xxx…\";") == true)
        #expect(problems.joined().unicodeScalars.count < 220)
    }

    @Test("text that YAML reads as another type must be in quotes")
    func quotedText() throws {
        for name in ["'no'", "\"123\"", "!!str yes", "'~'"] {
            let text = Fixture.minimal.replacing("Trend Cloud One", with: name)
            #expect(try Fixture.read(text).sender.name != nil, "\(name)")
        }
    }
}
