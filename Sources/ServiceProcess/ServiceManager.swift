// Tells the service manager the state of the service: the protocol of sd_notify(3), without its library. Never decides
// when to tell it.

package import Glibc
import Synchronization

/// The service manager that started this process and listens on `NOTIFY_SOCKET`.
///
/// Without that variable nothing is sent, and everything else works. A manager that doesn't read delays the service
/// little: a change of state waits for it for some seconds, any other message not at all.
package final class ServiceManager: Sendable {
    /// How long the manager waits for `watchdog()` before it takes the process for hung; `nil` if it doesn't watch.
    package let watchdogInterval: Duration?

    private let descriptor: Int32
    private let address: sockaddr_un
    private let addressLength: socklen_t
    private let fed = Mutex<ContinuousClock.Instant?>(nil)
    private let told = Mutex("")

    /// How long a change of state may wait for the manager, in seconds.
    private static let patience = 5

    /// - Parameters:
    ///   - environment: the process's; `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are what systemd sets.
    ///   - processID: this process's id, which the watchdog's variables must name (sd_watchdog_enabled(3)).
    /// - Returns: `nil` if no manager listens.
    package init?(environment: [String: String], processID: pid_t = getpid()) {
        guard let path = environment["NOTIFY_SOCKET"], let (address, length) = Self.address(of: path) else {
            return nil
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        self.descriptor = descriptor
        self.address = address
        addressLength = length
        let isMeant = environment["WATCHDOG_PID"].map { $0 == String(processID) } ?? true
        let interval = isMeant ? environment["WATCHDOG_USEC"].flatMap(Int64.init) : nil
        watchdogInterval = interval.flatMap { $0 > 0 ? .microseconds($0) : nil }
    }

    deinit { close(descriptor) }

    /// The service is ready.
    package func ready() { send("READY=1") }

    /// The service is reading its configuration again; `ready` tells when it is done.
    package func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000
        send("RELOADING=1\nMONOTONIC_USEC=\(microseconds)")
    }

    /// The service is about to end.
    package func stopping() { send("STOPPING=1") }

    /// The state of the service in one line for people; sent only if it differs from the last line.
    package func status(_ line: String) {
        let line = line.replacing("\n", with: " ")
        told.withLock { told in
            guard line != told, send("STATUS=\(line)", flags: Int32(MSG_DONTWAIT)) else { return }
            told = line
        }
    }

    /// The service makes progress. May be called after every step: at most eight messages per interval are sent.
    package func watchdog() {
        guard let watchdogInterval else { return }
        let isDue = fed.withLock { fed in
            let now = ContinuousClock.now
            guard fed.map({ now - $0 >= watchdogInterval / 8 }) ?? true else { return false }
            fed = now
            return true
        }
        if isDue { send("WATCHDOG=1", flags: Int32(MSG_DONTWAIT)) }
    }

    /// - Returns: whether the manager received it.
    @discardableResult
    private func send(_ message: String, flags: Int32 = 0) -> Bool {
        var address = address
        let octets = Array(message.utf8)
        let sent = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                sendto(descriptor, octets, octets.count, flags | Int32(MSG_NOSIGNAL), address, addressLength)
            }
        }
        return sent == octets.count
    }

    /// A path or, with `@`, a name in the abstract namespace, which is not terminated (unix(7)).
    private static func address(of path: String) -> (sockaddr_un, socklen_t)? {
        var octets = Array(path.utf8)
        guard octets.first == UInt8(ascii: "/") || octets.first == UInt8(ascii: "@"), octets.count > 1 else {
            return nil
        }
        let isAbstract = octets[0] == UInt8(ascii: "@")
        if isAbstract { octets[0] = 0 } else { octets.append(0) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard octets.count <= MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: octets) }
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? MemoryLayout<sa_family_t>.size
        return (address, socklen_t(start + octets.count))
    }
}
