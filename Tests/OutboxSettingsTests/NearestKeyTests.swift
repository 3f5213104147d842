// Which key the author of a mistyped one probably meant.

import Testing

@testable import OutboxSettings

@Suite struct NearestKeyTests {
    private let keys = [
        "ca_file", "connect_timeout", "connections", "helo", "idle", "messages_per_connection", "name", "password",
        "reply_timeout", "tls", "url", "user",
    ]

    @Test(
        "a mistyped key finds the one that was meant",
        arguments: [
            ("tsl", "tls"), ("tl", "tls"), ("TLS", "tls"), ("connection", "connections"), ("conections", "connections"),
            ("connect-timeout", "connect_timeout"), ("connectTimeout", "connect_timeout"),
            ("replytimeout", "reply_timeout"),
            ("pasword", "password"), ("username", "user"), ("hello", "helo"), ("names", "name"),
        ]
    )
    func near(word: String, key: String) {
        #expect(NearestKey.find(word, among: keys) == key)
    }

    @Test(
        "a key that is far from all finds none",
        arguments: ["", "host", "retries", "x", "starttls", "port", String(repeating: "tls", count: 1000)]
    )
    func far(word: String) {
        #expect(NearestKey.find(word, among: keys) == nil)
    }

    @Test("the nearer of two keys is found")
    func nearer() {
        #expect(NearestKey.find("connectiens", among: ["connects", "connections"]) == "connections")
    }
}
