// What the answers of one relay prove, on values.

import OutboxCore
import Testing

@Suite struct RelayEvidenceTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    /// Whether the relay is to blame after the failure.
    private func blames(
        _ evidence: inout RelayEvidence,
        _ message: Int64,
        _ domain: String,
        _ failure: RelayEvidence.Failure = .answer
    ) -> Bool {
        evidence.failed(message: message, domain: domain, failure)
    }

    @Test("three failing messages in a row are the relay's fault; one message that always fails isn't")
    func failures() {
        var evidence = RelayEvidence(suspectAfter: 20)
        for _ in 1...100 { #expect(!blames(&evidence, 1, "a.example")) }
        #expect(!blames(&evidence, 2, "a.example"))
        #expect(blames(&evidence, 3, "a.example"))
    }

    @Test("an acceptance resets the counts of failures and of refusals")
    func acceptanceBetween() {
        var evidence = RelayEvidence(suspectAfter: 20)
        for round in 1...10 {
            #expect(!blames(&evidence, 1, "a.example"))
            #expect(!blames(&evidence, 2, "b.example"))
            for message in 1...19 { evidence.refused(message: Int64(message), namesAddress: true) }
            #expect(!evidence.isSuspect)
            evidence.accepted(domain: "c.example", order: round, at: now)
            #expect(evidence.lastAcceptance == round && evidence.lastAcceptedAt == now)
        }
    }

    @Test("time-outs for one domain prove less than those for two")
    func silence() {
        var one = RelayEvidence(suspectAfter: 20)
        let results = (1...5).map { one.failed(message: Int64($0), domain: "slow.example", .silence) }
        #expect(results == [false, false, false, false, true])
        #expect(one.isSilent("slow.example") && !one.isSilent("other.example"))
        var two = RelayEvidence(suspectAfter: 20)
        #expect(!blames(&two, 1, "slow.example", .silence))
        #expect(!blames(&two, 2, "other.example", .silence))
        #expect(blames(&two, 3, "slow.example", .silence))
    }

    @Test("a domain that accepts again is no longer silent")
    func recovered() {
        var evidence = RelayEvidence(suspectAfter: 20)
        _ = evidence.failed(message: 1, domain: "slow.example", .silence)
        evidence.accepted(domain: "other.example", order: 1, at: now)
        #expect(evidence.isSilent("slow.example"))
        evidence.accepted(domain: "slow.example", order: 2, at: now)
        #expect(!evidence.isSilent("slow.example") && evidence.lastWorked("slow.example") != nil)
    }

    @Test("20 refusals of addresses, or 3 that name no address, make the relay the suspect")
    func suspicion() {
        var named = RelayEvidence(suspectAfter: 20)
        for message in 1...19 { named.refused(message: Int64(message), namesAddress: true) }
        named.refused(message: 1, namesAddress: true)
        #expect(!named.isSuspect)
        named.refused(message: 20, namesAddress: true)
        #expect(named.isSuspect && named.refusalsInARow == 20)
        var unnamed = RelayEvidence(suspectAfter: 20)
        for message in [1, 2, 2, 1] { unnamed.refused(message: Int64(message), namesAddress: false) }
        #expect(!unnamed.isSuspect)
        unnamed.refused(message: 3, namesAddress: false)
        #expect(unnamed.isSuspect)
    }

    @Test("memory is bounded")
    func memory() {
        var evidence = RelayEvidence(suspectAfter: 20)
        for number in 1...1000 {
            _ = evidence.failed(message: Int64(number), domain: "d\(number).example", .silence)
            evidence.refused(message: Int64(number), namesAddress: true)
        }
        #expect(!evidence.isSilent("d1.example") && evidence.isSilent("d1000.example"))
        #expect(evidence.refusalsInARow == 20)
    }

    @Test("a relay is quick for half a minute after a quick answer, and not until an old time comes again")
    func quick() {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        var evidence = RelayEvidence(suspectAfter: 20)
        #expect(!evidence.isQuick(at: now))
        evidence.answered(domain: "example.com", began: now, at: now)
        #expect(evidence.isQuick(at: now + .seconds(29)))
        #expect(!evidence.isQuick(at: now + .seconds(30)))
        #expect(!evidence.isQuick(at: now + .seconds(-3600)), "the clock was set back")
    }
}
