// A TCP client for tests that sends exactly the given bytes and reads the answers. Knows only the form of a reply.

import FakeSMTP
import NIOCore
import NIOPosix

/// One plain connection.
final class RawClient {
    private let channel: any Channel
    private var arrivals: AsyncThrowingStream<ByteBuffer, any Error>.AsyncIterator
    private var pending = ByteBuffer()

    private init(channel: any Channel, arrivals: AsyncThrowingStream<ByteBuffer, any Error>) {
        self.channel = channel
        self.arrivals = arrivals.makeAsyncIterator()
    }

    /// - Parameter outlivesServer: whether this side can still send after the server has closed its side.
    static func connect(to server: FakeSMTPServer, outlivesServer: Bool = false) async throws -> RawClient {
        let (arrivals, continuation) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: outlivesServer)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation: continuation))
                }
            }
            .connect(host: server.host, port: server.port).get()
        return RawClient(channel: channel, arrivals: arrivals)
    }

    /// Connects, reads the greeting and says EHLO.
    static func greeted(by server: FakeSMTPServer, outlivesServer: Bool = false) async throws -> RawClient {
        let client = try await connect(to: server, outlivesServer: outlivesServer)
        _ = try await client.reply()
        _ = try await client.say("EHLO client.example")
        return client
    }

    func send(_ text: String) async throws {
        try await send(Array(text.utf8))
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Sends in the background. The task ends when all is sent, and fails if the connection does.
    func beginSending(_ bytes: [UInt8]) -> Task<Void, any Error> {
        Task { [channel] in try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
    }

    /// Sends a command and reads its reply.
    func say(_ command: String) async throws -> String {
        try await send(command + "\r\n")
        return try await reply()
    }

    /// The next whole reply, its lines joined by LF; empty if the server closed first.
    func reply() async throws -> String {
        var lines: [String] = []
        while let line = try await line() {
            lines.append(line)
            if line.dropFirst(3).first != "-" { break }
        }
        return lines.joined(separator: "\n")
    }

    /// The next line without CRLF; `nil` at the end.
    func line() async throws -> String? {
        while true {
            if let end = pending.readableBytesView.firstIndex(of: 0x0A) {
                let bytes = pending.readBytes(length: end + 1 - pending.readerIndex) ?? []
                return String(decoding: bytes.dropLast(2), as: UTF8.self)
            }
            guard var more = try await arrivals.next() else { return nil }
            pending.writeBuffer(&more)
        }
    }

    /// All bytes until the server closes.
    func rest() async throws -> [UInt8] {
        while var more = try await arrivals.next() {
            pending.writeBuffer(&more)
        }
        return pending.readBytes(length: pending.readableBytes) ?? []
    }

    func close() async throws {
        try await channel.close()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let continuation: AsyncThrowingStream<ByteBuffer, any Error>.Continuation

        init(continuation: AsyncThrowingStream<ByteBuffer, any Error>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(unwrapInboundIn(data))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            continuation.finish(throwing: error)
            context.close(promise: nil)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ChannelEvent.inputClosed = event { continuation.finish() }
        }

        func channelInactive(context: ChannelHandlerContext) {
            continuation.finish()
        }
    }
}
