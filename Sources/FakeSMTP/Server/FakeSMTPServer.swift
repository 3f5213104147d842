// Starts and stops one server: listening socket, certificate, shared parts. SMTPConnectionHandler conducts the
// dialogue.

import Foundation
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A scriptable SMTP server on loopback, for tests of programs that send mail.
///
///     let server = try await FakeSMTPServer.start(.init(tls: .startTLS))
///     server.setFaults(["rcpt: reply 450 4.2.1 \"Mailbox busy\" first 1"])
///     ... let a client send to server.host, server.port, trusting server.certificatePEM ...
///     let mails = try await server.ledger.waitForAccepted(count: 1)
///     await server.stop()
///
/// Any number of servers can run in one process, each with its own port, faults and ledger.
package final class FakeSMTPServer: Sendable {
    /// The reasons why a server can't start, each with its remedy.
    package enum StartError: Error, CustomStringConvertible {
        /// The host is not a loopback address.
        case notLoopback(String)
        /// Another program listens on this port.
        case portTaken(Int)
        /// AUTH is required, but there are no credentials.
        case requiresCredentials
        /// TLS is required, but turned off.
        case requiresTLS

        /// The problem and its remedy.
        package var description: String {
            switch self {
            case .notLoopback(let host):
                "refusing to listen on '\(host)': this server takes mail from anyone, so it listens on loopback only; "
                    + "use 127.0.0.1, ::1 or localhost"
            case .portTaken(let port):
                "port \(port) is taken; stop what listens there, or choose port 0 for a free one"
            case .requiresCredentials:
                "authentication is required but there are no credentials to authenticate with; give a user and a password"
            case .requiresTLS:
                "TLS is required but switched off; choose starttls or implicit"
            }
        }
    }

    /// Tells a connection that the server is stopping.
    struct Stopping: Sendable {}

    private let listener: any Channel
    private let parts: ServerParts
    private let connections: ConnectionRegistry
    /// The address it listens on.
    package let host: String
    /// The port it listens on.
    package let port: Int
    /// The certificate of the authority to trust (`ca_file`), as PEM; `nil` without TLS.
    package let certificatePEM: String?

    /// The record of the server's events.
    package var ledger: Ledger { parts.ledger }

    private init(
        listener: any Channel,
        parts: ServerParts,
        connections: ConnectionRegistry,
        address: SocketAddress,
        certificatePEM: String?
    ) {
        self.listener = listener
        self.parts = parts
        self.connections = connections
        host = address.ipAddress ?? parts.options.host
        port = address.port ?? parts.options.port
        self.certificatePEM = certificatePEM
    }

    // MARK: Starting and stopping

    /// Starts a server; it listens when this returns.
    ///
    /// - Throws: ``StartError`` for contradictory settings and for a port that is taken, and the system's errors about
    ///   the port, the store or the journal.
    package static func start(_ options: Options = Options()) async throws -> FakeSMTPServer {
        let address = try loopbackAddress(options)
        guard !options.requiresAuthentication || !options.credentials.isEmpty else {
            throw StartError.requiresCredentials
        }
        guard !options.requiresTLS || options.tls != .none else { throw StartError.requiresTLS }
        let certificate =
            options.tls == .none ? nil : try LocalCertificate(kind: options.certificate, now: options.now())
        let store = try options.store.map { try MailStore(folder: $0) }
        let group = MultiThreadedEventLoopGroup.singleton
        let parts = ServerParts(
            options: options,
            script: FaultScript(seed: options.seed),
            admission: Admission(limit: options.maximumConnections),
            ledger: Ledger(
                retention: options.retention,
                lastSequence: store?.lastSequence ?? 0,
                eventLoop: group.next()
            ),
            store: store,
            journal: try options.journal.map { try LedgerJournal(appendingTo: $0) },
            tlsContext: try certificate?.makeContext(),
            threadPool: .singleton,
            log: options.log.map { TrafficLog(write: $0) }
        )
        let connections = ConnectionRegistry()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SMTPConnectionHandler(parts: parts))
                    connections.add(channel)
                }
            }
        let listener: any Channel
        do {
            listener = try await bootstrap.bind(to: address).get()
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            throw StartError.portTaken(options.port)
        }
        return FakeSMTPServer(
            listener: listener,
            parts: parts,
            connections: connections,
            address: listener.localAddress ?? address,
            certificatePEM: certificate?.authorityPEM
        )
    }

    /// Runs `body` with a server that is stopped afterwards in any case.
    package static func with<Result: Sendable>(
        _ options: Options = Options(),
        faults: [Fault] = [],
        _ body: (FakeSMTPServer) async throws -> Result
    ) async throws -> Result {
        let server = try await start(options)
        server.setFaults(faults)
        do {
            let result = try await body(server)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    /// Sends unsolicited octets on every open connection, in any state. They have left the server when this returns.
    package func interject(_ octets: [UInt8]) async throws {
        for channel in connections.open { try await channel.writeAndFlush(ByteBuffer(bytes: octets)) }
    }

    /// Stops listening, closes every connection and ends every wait for the ledger. May be called repeatedly.
    package func stop() async {
        listener.close(promise: nil)
        await Self.closed(listener)
        for channel in connections.stop() {
            channel.pipeline.fireUserInboundEventTriggered(Stopping())
            await Self.closed(channel)
        }
        ledger.close()
    }

    private static func closed(_ channel: any Channel) async {
        await withCheckedContinuation { continuation in
            channel.closeFuture.whenComplete { _ in continuation.resume() }
        }
    }

    private static func loopbackAddress(_ options: Options) throws -> SocketAddress {
        let host = options.host == "localhost" ? "127.0.0.1" : options.host
        guard let address = try? SocketAddress(ipAddress: host, port: options.port), address.isLoopback else {
            throw StartError.notLoopback(options.host)
        }
        return address
    }

    // MARK: Faults

    /// The current faults, in the order of their evaluation.
    package var faults: [Fault] { parts.script.faults }

    /// Replaces all faults, including those of open connections. Their counters start again; the ledger's counts
    /// continue.
    package func setFaults(_ faults: [Fault]) {
        parts.script.set(faults)
    }

    /// Adds a fault after the current ones.
    package func addFault(_ fault: Fault) {
        parts.script.add(fault)
    }

    /// Removes the faults equal to this one; false if there were none.
    @discardableResult
    package func removeFault(_ fault: Fault) -> Bool {
        parts.script.remove(fault)
    }
}

extension SocketAddress {
    /// 127.0.0.0/8 and ::1 (RFC 6890 §2.2.2 and §2.2.3).
    fileprivate var isLoopback: Bool {
        switch self {
        case .v4: ipAddress?.hasPrefix("127.") == true
        case .v6: ipAddress == "::1"
        case .unixDomainSocket: false
        }
    }
}
