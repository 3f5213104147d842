// Sends a connection's answers, waits, and closes the connection. Decides nothing.

import Glibc
import NIOCore
import NIOPosix

extension SMTPConnectionHandler {
    /// - Parameter whileClientSends: the client is in the middle of the content and will go on.
    func answer(_ reply: SMTPReply?, whileClientSends: Bool = false, then next: (() -> Void)? = nil) {
        guard let reply else { return }
        after(parts.options.replyDelay) {
            guard let context = self.context else { return }
            self.parts.log?.reply(reply, connection: self.connection)
            var buffer = context.channel.allocator.buffer(capacity: 128)
            reply.write(to: &buffer)
            context.write(self.wrapOutboundOut(buffer), promise: nil)
            self.idleTimer?.touch()
            if reply.closesConnection {
                self.ignoresInput = true
                context.flush()
                if whileClientSends { self.closeAfterClient() } else { context.close(promise: nil) }
            } else {
                next?()
            }
        }
    }

    func write(bytes: [UInt8]) {
        context?.write(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    /// Continues at once, or after a delay during which no input is processed.
    func after(_ delay: Duration, _ next: @escaping () -> Void) {
        guard delay > .zero, let context else { return next() }
        if !parts.options.holdsReplies { context.flush() }
        pauses += 1
        context.eventLoop.assumeIsolated().scheduleTask(in: delay.timeAmount) {
            self.pauses -= 1
            guard self.context != nil else { return }
            next()
            self.process()
        }
    }

    func becameIdle() {
        guard !isWaiting else { idleTimer?.touch(); return }
        parts.log?.note("idle for too long", connection: connection)
        if parts.options.saysGoodbyeWhenIdle {
            answer(SMTPReply(421, "4.4.2", "Idle for too long, closing transmission channel"))
        } else {
            closeAbruptly()
        }
    }

    /// Sends nothing more, and reads the client's remaining bytes until the client closes or a short time has passed.
    /// Bytes that arrive at a closed socket make the kernel send a RST (RFC 1122 §4.2.2.13), and then the client may
    /// never read the reply.
    private func closeAfterClient() {
        guard let context else { return }
        isLingering = true
        inbound.clear()
        context.close(mode: .output, promise: nil)
        if isReadSuspended {
            isReadSuspended = false
            context.read()
        }
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingering) { self.closeAbruptly() }
    }

    /// Closes without TLS's close_notify, like a server that has crashed.
    func closeAbruptly() {
        ignoresInput = true
        guard let context else { return }
        context.flush()
        guard let tlsHandler else { return context.close(promise: nil) }
        do {
            // A close that starts at the TLS handler's own position in the pipeline bypasses that handler.
            try context.pipeline.syncOperations.context(handler: tlsHandler).close(promise: nil)
        } catch {
            // The TLS handler has left the pipeline already, so there is no handler to bypass.
            context.close(promise: nil)
        }
    }

    /// Closes so that the client gets a RST: with a linger time of zero the kernel sends one instead of a FIN.
    func resetConnection() {
        guard let channel = context?.channel as? any SocketOptionProvider else {
            preconditionFailure("a TCP channel has socket options")
        }
        channel.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { [parts] error in
            parts.options.reportProblem("cannot reset a connection, closing it instead: \(error)")
        }
        closeAbruptly()
    }
}
