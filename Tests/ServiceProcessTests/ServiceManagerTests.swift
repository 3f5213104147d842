// The protocol of sd_notify(3), against a socket like systemd's.

import Foundation
import ServiceProcess
import TestSupport
import Testing

@Suite("Towards the service manager", .timeLimit(.minutes(10)))
struct ServiceManagerTests {
    @Test(
        "every change of state is a datagram of its own, over a path and in the abstract namespace",
        arguments: [false, true]
    )
    func messages(isAbstract: Bool) async throws {
        try await withFolder { folder in
            let address = isAbstract ? "@outboxd-\(UUID().uuidString)" : folder.appending(path: "notify").path
            let socket = try NotifySocket(address)
            let manager = try #require(ServiceManager(environment: ["NOTIFY_SOCKET": address]))
            manager.ready()
            #expect(try await socket.next() == "READY=1")
            manager.reloading()
            let reloading = try #require(try await socket.next())
            let match = try #require(reloading.wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=([0-9]+)/))
            let uptime = try String(contentsOfFile: "/proc/uptime", encoding: .utf8)
            let seconds = try #require(Double(uptime.prefix { $0 != " " }))
            #expect(abs(try #require(Double(match.1)) / 1_000_000 - seconds) < 60)
            manager.status("one\nline")
            #expect(try await socket.next() == "STATUS=one line")
            manager.status("one line")
            manager.stopping()
            #expect(try await socket.next() == "STOPPING=1")
        }
    }

    @Test("without a socket or with a wrong address there is no manager")
    func absent() {
        #expect(ServiceManager(environment: [:]) == nil)
        #expect(ServiceManager(environment: ["NOTIFY_SOCKET": "relative"]) == nil)
        #expect(ServiceManager(environment: ["NOTIFY_SOCKET": "@"]) == nil)
        #expect(ServiceManager(environment: ["NOTIFY_SOCKET": "/" + String(repeating: "x", count: 108)]) == nil)
    }

    @Test("only calls feed the watchdog, but not each of many")
    func watchdog() async throws {
        let socket = try NotifySocket("@outboxd-\(UUID().uuidString)")
        var environment = ["NOTIFY_SOCKET": socket.address, "WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "77"]
        let others = try #require(ServiceManager(environment: environment, processID: 78))
        #expect(others.watchdogInterval == nil)
        others.watchdog()
        environment["WATCHDOG_PID"] = "78"
        let manager = try #require(ServiceManager(environment: environment, processID: 78))
        #expect(manager.watchdogInterval == .seconds(60))
        for _ in 1...100 { manager.watchdog() }
        manager.stopping()
        #expect(socket.rest() == ["WATCHDOG=1", "STOPPING=1"])
    }

    @Test("a manager that doesn't read delays nobody")
    func fullSocket() async throws {
        let socket = try NotifySocket("@outboxd-\(UUID().uuidString)")
        let environment = ["NOTIFY_SOCKET": socket.address, "WATCHDOG_USEC": "8"]
        let manager = try #require(ServiceManager(environment: environment))
        let began = ContinuousClock.now
        for number in 1...5000 {
            manager.status("line \(number)")
            manager.watchdog()
        }
        #expect(ContinuousClock.now - began < .seconds(20))
        // A message that didn't arrive doesn't count as sent.
        _ = socket.rest()
        manager.status("line 5000")
        #expect(try await socket.next() == "STATUS=line 5000")
    }
}
