// Limits what strangers can cause: mails to people who did not ask, and guesses at passwords.

import Foundation
import GRDB

/// A limit: how often within a span, counted from the first time.
struct ThrottleRule: Sendable {
    let name: String
    let limit: Int
    let seconds: Int64

    /// Mails that forms cause to one address. outboxd's `limits` spread them as well.
    static let mailsToAddress = ThrottleRule(name: "mails to address", limit: 6, seconds: 3600)
    /// Mails that forms of one network cause.
    static let mailsFromNetwork = ThrottleRule(name: "mails from network", limit: 60, seconds: 3600)
    /// Mails to all addresses of one domain: somebody who fills the inboxes of a company (list bombing) changes address and
    /// network each time.
    static let mailsToDomain = ThrottleRule(name: "mails to domain", limit: 200, seconds: 3600)
    /// Passwords for one address from one network, from browsers that never asked for its mail.
    static let guessesOfStrangers = ThrottleRule(name: "guesses of strangers", limit: 30, seconds: 900)
    /// The same from all networks together.
    static let guessesOfAllStrangers = ThrottleRule(name: "guesses of all strangers", limit: 200, seconds: 900)
    /// Passwords for one address from a browser that did. Counted apart, so that strangers can't lock a person out.
    static let guessesOfKnownBrowser = ThrottleRule(name: "guesses of known browser", limit: 20, seconds: 900)
    static let guessesFromNetwork = ThrottleRule(name: "guesses from network", limit: 200, seconds: 900)
    static let codesFromNetwork = ThrottleRule(name: "codes from network", limit: 200, seconds: 900)
    static let lookupsFromNetwork = ThrottleRule(name: "lookups from network", limit: 60, seconds: 900)
}

/// Counts by rule and subject.
struct Throttle: Sendable {
    /// Off only where a test measures times.
    let isOn: Bool

    /// Counts one event for each rule.
    ///
    /// - Returns: the first rule whose limit was passed.
    func count(_ events: [(ThrottleRule, String)], in database: Database, at now: Int64) throws -> ThrottleRule? {
        guard isOn else { return nil }
        try database.execute(sql: "DELETE FROM portal_throttle WHERE ends_at <= ?", arguments: [now])
        var passed: ThrottleRule?
        for (rule, subject) in events {
            let count = try Int.fetchOne(
                database,
                sql: """
                    INSERT INTO portal_throttle (rule, subject, ends_at, count) VALUES (?, ?, ?, 1)
                    ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count
                    """,
                arguments: [rule.name, subject.lowercased(), now + rule.seconds * 1000]
            )
            if passed == nil, let count, count > rule.limit { passed = rule }
        }
        return passed
    }

    /// The domain of an address, for a rule that counts by domain.
    static func domain(of address: String) -> String { String(address.drop { $0 != "@" }.dropFirst()) }
}

extension Accounts {
    /// Whether this browser may try another password for the address. A stranger's guesses use up the strangers' share only:
    /// the person's own browser has another one.
    func mayGuess(_ address: String, _ asking: Asking) async throws -> Bool {
        try await database.write { database in
            let isKnown = try knows(asking.browser, address: address, in: database)
            let own: [(ThrottleRule, String)] =
                isKnown
                ? [(.guessesOfKnownBrowser, "\(address) \(asking.browser.digest.base64EncodedString())")]
                : [(.guessesOfStrangers, "\(address) \(asking.network)"), (.guessesOfAllStrangers, address)]
            let events = [(ThrottleRule.guessesFromNetwork, asking.network)] + own
            return try throttle.count(events, in: database, at: Date().milliseconds) == nil
        }
    }

    /// Whether this network may send another code.
    func mayTypeCode(_ network: String) async throws -> Bool {
        try await database.write { database in
            try throttle.count([(.codesFromNetwork, network)], in: database, at: Date().milliseconds) == nil
        }
    }
}
