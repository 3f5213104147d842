// A token server on loopback for tests (RFC 6749 §5): answers what a test tells it to, and keeps the requests.

package import FakeSMTP
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A small HTTP or HTTPS server with one endpoint, `/token`.
package final class FakeTokenServer: Sendable {
    /// One answer.
    package struct Answer: Sendable {
        package var status: UInt
        package var body: String
        package var headers: [(String, String)] = []
        /// The request stays without an answer.
        package var isSilent = false
        /// The answer waits for ``FakeTokenServer/release()``.
        package var isHeld = false

        package init(_ status: UInt, _ body: String, headers: [(String, String)] = []) {
            self.status = status
            self.body = body
            self.headers = headers
        }

        /// A granted token.
        package static func token(_ token: String, expiresIn: String = "3600", refresh: String? = nil) -> Answer {
            let further = refresh.map { #", "refresh_token": "\#($0)""# } ?? ""
            return Answer(
                200,
                #"{"access_token": "\#(token)", "token_type": "Bearer", "expires_in": \#(expiresIn)\#(further)}"#
            )
        }

        /// A refusal in the form of RFC 6749 §5.2.
        package static func error(_ status: UInt, _ error: String, _ description: String) -> Answer {
            Answer(status, #"{"error": "\#(error)", "error_description": "\#(description)"}"#)
        }

        /// The same answer, which waits for ``FakeTokenServer/release()``.
        package var held: Answer {
            var answer = self
            answer.isHeld = true
            return answer
        }

        package static var silence: Answer {
            var answer = Answer(200, "")
            answer.isSilent = true
            return answer
        }
    }

    private struct State {
        var answers: [Answer]
        var requests: [[String: String]] = []
        var open: [any Channel] = []
        var held: [@Sendable () -> Void] = []
    }

    private let state: Mutex<State>
    private let endpoint = Mutex("")
    /// The endpoint's address.
    package var url: String { endpoint.withLock(\.self) }
    /// The certificate of the authority to trust, as PEM; `nil` without TLS.
    package let certificatePEM: String?

    private init(_ answers: [Answer], certificatePEM: String?) {
        state = Mutex(State(answers: answers))
        self.certificatePEM = certificatePEM
    }

    /// The forms of all requests so far, decoded.
    package var requests: [[String: String]] { state.withLock(\.requests) }

    /// Replaces the answers; the last one repeats.
    package func answer(_ answers: Answer...) { state.withLock { $0.answers = answers } }

    /// Sends the answers that wait. A client that has left gets none.
    package func release() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for send in held { send() }
    }

    fileprivate func hold(_ send: @escaping @Sendable () -> Void) { state.withLock { $0.held.append(send) } }

    /// Runs `body` with a server that is stopped afterwards in any case.
    ///
    /// - Parameter answers: the answers in their order; the last one repeats.
    package static func with<Result: Sendable>(
        _ answers: Answer...,
        tls certificate: LocalCertificate.Kind? = nil,
        _ body: (FakeTokenServer) async throws -> Result
    ) async throws -> Result {
        let local = try certificate.map { try LocalCertificate(kind: $0, now: Date()) }
        let context = try local?.makeContext()
        let server = FakeTokenServer(answers, certificatePEM: local?.authorityPEM)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    }
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(TokenHandler(server: server))
                    server.state.withLock { $0.open.append(channel) }
                }
            }
        let listener = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        let port = listener.localAddress?.port ?? 0
        server.endpoint.withLock { $0 = "\(context == nil ? "http" : "https")://127.0.0.1:\(port)/token" }
        do {
            let result = try await body(server)
            await server.stop(listener)
            return result
        } catch {
            await server.stop(listener)
            throw error
        }
    }

    private func stop(_ listener: any Channel) async {
        let open = state.withLock(\.open)
        for channel in [listener] + open {
            channel.close(promise: nil)
            await withCheckedContinuation { continuation in
                channel.closeFuture.whenComplete { _ in continuation.resume() }
            }
        }
    }

    fileprivate func answer(to form: String, path: String, method: HTTPMethod) -> Answer {
        guard path == "/token", method == .POST else { return Answer(404, "<html>Not Found</html>") }
        return state.withLock { state in
            state.requests.append(Self.decoded(form))
            return state.answers.count > 1 ? state.answers.removeFirst() : state.answers[0]
        }
    }

    private static func decoded(_ form: String) -> [String: String] {
        var fields: [String: String] = [:]
        for field in form.split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1).map { $0.removingPercentEncoding ?? "?" }
            fields[parts[0]] = parts.count == 2 ? parts[1] : ""
        }
        return fields
    }
}

private final class TokenHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let server: FakeTokenServer
    private var head: HTTPRequestHead?
    private var form = ""

    init(server: FakeTokenServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            form = ""
        case .body(let buffer):
            form += String(buffer: buffer)
        case .end:
            guard let head else { return }
            let answer = server.answer(to: form, path: head.uri, method: head.method)
            guard !answer.isSilent else { return }
            guard answer.isHeld else { return send(answer, head.version, context) }
            let (version, loop) = (head.version, context.eventLoop)
            let bound = NIOLoopBound((self, context), eventLoop: loop)
            server.hold { loop.execute { bound.value.0.send(answer, version, bound.value.1) } }
        }
    }

    private func send(_ answer: FakeTokenServer.Answer, _ version: HTTPVersion, _ context: ChannelHandlerContext) {
        var headers = HTTPHeaders(answer.headers)
        headers.add(name: "Content-Length", value: "\(answer.body.utf8.count)")
        headers.add(name: "Content-Type", value: "application/json")
        let status = HTTPResponseStatus(statusCode: Int(answer.status))
        let answerHead = HTTPResponseHead(version: version, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(answerHead)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
