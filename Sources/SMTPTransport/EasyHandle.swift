// Owns one libcurl easy handle and its callbacks: the only unsafe code. Never judges what a relay says.

import CCurl
import OutboxCore

/// One libcurl easy handle, with the one SMTP connection it keeps open.
///
/// Not Sendable: libcurl wants a handle to be used by one thread at a time.
final class EasyHandle {
    /// What one transfer showed.
    struct Outcome {
        let code: CURLcode
        /// libcurl's own words for an error. Empty where it has none.
        let message: String
        let conversation: Conversation
        /// How many connections it opened: 0 where it used the open one.
        let newConnections: Int
        /// It was ended from our side.
        let wasAborted: Bool
        /// Whoever sent it did not let its content go.
        let wasWithheld: Bool
    }

    /// What it has open.
    let sockets = OpenSockets()

    private let handle: UnsafeMutableRawPointer
    private let transfer: Transfer
    private let errorBuffer: UnsafeMutablePointer<CChar>
    private var isClosed = false

    /// libcurl must be initialised once, before its first use by any thread (curl_global_init(3)).
    private static let isInitialised = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// - Parameters:
    ///   - relay: whom to talk to.
    ///   - closingTimeout: how long the relay may take to answer a QUIT that libcurl says within a transfer.
    init(relay: SMTPRelay, closingTimeout: Duration) {
        precondition(Self.isInitialised, "libcurl can't be initialised")
        guard let handle = curl_easy_init() else { preconditionFailure("out of memory") }
        self.handle = handle
        transfer = Transfer(sockets: sockets, closingTimeout: closingTimeout)
        errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        setConnectionOptions(relay)
        setCallbacks()
    }

    /// Says QUIT on the open connection, and waits for no answer.
    deinit {
        guard !isClosed else { return }
        sockets.stopReading()
        close()
    }

    /// Says QUIT on the open connection, waits for the answer and closes it (curl_easy_cleanup(3)). Whoever calls it sees
    /// to it that the wait has an end. The handle can't be used any more.
    func close() {
        precondition(!isClosed, "a handle is closed once")
        isClosed = true
        curl_easy_cleanup(handle)
        errorBuffer.deallocate()
    }

    /// Hands one mail over. Blocks until it is accepted or refused.
    ///
    /// - Parameter onNewConnection: don't use the open one.
    func perform(_ mail: OutgoingMail, onNewConnection: Bool) -> Outcome {
        precondition(!isClosed, "a closed handle sends nothing")
        transfer.begin(mail)
        errorBuffer[0] = 0
        let recipients = curl_slist_append(nil, "<\(mail.recipient)>")
        defer { curl_slist_free_all(recipients) }
        set(CURLOPT_MAIL_FROM, "<\(mail.envelopeSender)>")
        set(CURLOPT_MAIL_RCPT, pointer: recipients)
        set(CURLOPT_INFILESIZE_LARGE, offset: mail.content.count)
        set(CURLOPT_FRESH_CONNECT, onNewConnection ? 1 : 0)
        let code = curl_easy_perform(handle)
        transfer.end()
        // The list is freed on return; the handle must not keep a pointer to it.
        set(CURLOPT_MAIL_RCPT, pointer: nil)
        return Outcome(
            code: code,
            message: code == CURLE_OK ? "" : message(for: code),
            conversation: transfer.conversation,
            newConnections: newConnections(),
            wasAborted: sockets.isShutDown,
            wasWithheld: transfer.wasWithheld
        )
    }

    private func message(for code: CURLcode) -> String {
        errorBuffer[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorBuffer)
    }

    private func newConnections() -> Int {
        var count = 0
        let code = ccurl_get_long(handle, CURLINFO_NUM_CONNECTS, &count)
        precondition(code == CURLE_OK, "libcurl counts connections")
        return count
    }

    private func setConnectionOptions(_ relay: SMTPRelay) {
        set(CURLOPT_URL, relay.url + "/" + (relay.helo.map(percentEncoded) ?? ""))
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        set(CURLOPT_UPLOAD, 1)
        // Without it libcurl uses SIGALRM, which is not for programs with threads (libcurl-thread(3)).
        set(CURLOPT_NOSIGNAL, 1)
        // An `ALL_PROXY` in the environment must not carry mail elsewhere.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_MAXCONNECTS, 1)
        set(CURLOPT_MAXAGE_CONN, max(1, Int(relay.idle.components.seconds)))
        set(CURLOPT_TCP_KEEPALIVE, 1)
        // Without it, the wait for a name server that doesn't answer outlasts the limit on connecting.
        setUnlessTooOld(ccurl_set_quick_exit(handle))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(relay.connectTimeout.inMilliseconds))
        set(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, Int(relay.replyTimeout.components.seconds)))
        // That limit doesn't hold while the content is handed over: a relay that stops reading would stop us for good.
        set(CURLOPT_LOW_SPEED_LIMIT, 1)
        set(CURLOPT_LOW_SPEED_TIME, max(1, Int(relay.replyTimeout.components.seconds)))
        set(CURLOPT_USE_SSL, relay.tls.useSSL)
        // Both are libcurl's defaults, and stand here because everything hangs on them.
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        if let caFile = relay.caFile {
            set(CURLOPT_CAINFO, caFile)
            // Trust these and no others.
            set(CURLOPT_CAPATH, nil)
        }
        if let credentials = relay.credentials {
            set(CURLOPT_USERNAME, credentials.user)
            set(CURLOPT_PASSWORD, credentials.password)
        }
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        set(CURLOPT_ERRORBUFFER, pointer: errorBuffer)
        set(CURLOPT_READDATA, pointer: context)
        check(ccurl_set_data_callback(handle, CURLOPT_READFUNCTION) { Transfer.at($3).read(into: $0, limit: $1 * $2) })
        set(CURLOPT_HEADERDATA, pointer: context)
        check(
            ccurl_set_data_callback(handle, CURLOPT_HEADERFUNCTION) { data, size, count, context in
                // A result other than the size ends the transfer with CURLE_WRITE_ERROR.
                Transfer.at(context).receives(data, count: size * count) ? size * count : 0
            }
        )
        set(CURLOPT_DEBUGDATA, pointer: context)
        check(
            ccurl_set_debug_callback(handle) { _, type, data, count, context in
                if type == CURLINFO_HEADER_OUT { Transfer.at(context).sends(data, count: count) }
                return 0
            }
        )
        // The commands are seen by the debug callback only, and it is called only when verbose.
        set(CURLOPT_VERBOSE, 1)
        // Called about once a second at least: ends what waits without a socket, such as the look-up of a name.
        set(CURLOPT_XFERINFODATA, pointer: context)
        check(ccurl_set_progress_callback(handle) { context, _, _, _, _ in Transfer.at(context).mustAbort ? 1 : 0 })
        set(CURLOPT_NOPROGRESS, 0)
        set(CURLOPT_SOCKOPTDATA, pointer: context)
        check(
            ccurl_set_socket_option_callback(handle) { context, descriptor, _ in
                Transfer.at(context).sockets.opened(descriptor)
                return CURL_SOCKOPT_OK
            }
        )
        set(CURLOPT_CLOSESOCKETDATA, pointer: context)
        check(ccurl_set_close_socket_callback(handle) { Transfer.at($0).sockets.close($1) })
    }

    private func set(_ option: CURLoption, _ value: String?) { check(ccurl_set_string(handle, option, value)) }
    private func set(_ option: CURLoption, _ value: Int) { check(ccurl_set_long(handle, option, value)) }
    private func set(_ option: CURLoption, offset: Int) { check(ccurl_set_offset(handle, option, offset)) }
    private func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        check(ccurl_set_pointer(handle, option, pointer))
    }

    /// An option that libcurl refuses means a libcurl without SMTP or TLS, or no memory: nothing to go on with.
    private func check(_ code: CURLcode) {
        precondition(code == CURLE_OK, String(cString: curl_easy_strerror(code)))
    }

    /// The same for an option that a libcurl older than the one at build time doesn't know.
    private func setUnlessTooOld(_ code: CURLcode) {
        if code != CURLE_UNKNOWN_OPTION { check(code) }
    }

    /// For the path of the URL, where libcurl decodes it again.
    private func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "-._".contains(character))
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(character) : "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}

/// What the callbacks of the transfer under way work on.
private final class Transfer {
    private(set) var conversation = Conversation()
    private var content: [UInt8] = []
    private var position = 0
    private var mayHandOver: @Sendable () -> Bool = { true }
    private(set) var wasWithheld = false
    /// Runs from the QUIT that libcurl says after a refusal, before it tells of the refusal.
    private var closing: ClosingLimit?
    private let closingTimeout: Duration
    let sockets: OpenSockets

    init(sockets: OpenSockets, closingTimeout: Duration) {
        self.sockets = sockets
        self.closingTimeout = closingTimeout
    }

    static func at(_ context: UnsafeMutableRawPointer?) -> Transfer {
        guard let context else { preconditionFailure("libcurl lost a callback's context") }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    var mustAbort: Bool { sockets.isShutDown }

    func begin(_ mail: OutgoingMail) {
        conversation = Conversation()
        content = mail.content
        mayHandOver = mail.mayHandOver
        wasWithheld = false
        position = 0
    }

    func end() {
        closing?.end()
        closing = nil
    }

    func read(into buffer: UnsafeMutablePointer<CChar>?, limit: Int) -> Int {
        if position == 0, !mayHandOver() {
            // libcurl closes the connection without a final dot, so that the relay drops the transaction.
            wasWithheld = true
            return Int(CURL_READFUNC_ABORT)
        }
        let count = min(limit, content.count - position)
        if let buffer, count > 0 {
            UnsafeMutableRawBufferPointer(start: buffer, count: count).copyBytes(
                from: content[position..<position + count]
            )
            position += count
        }
        if position == content.count { conversation.hasHandedOverContent() }
        return count
    }

    func receives(_ data: UnsafeMutablePointer<CChar>?, count: Int) -> Bool {
        conversation.receives(UnsafeRawBufferPointer(start: data, count: count))
    }

    func sends(_ data: UnsafeMutablePointer<CChar>?, count: Int) {
        conversation.sends(UnsafeRawBufferPointer(start: data, count: count))
        if conversation.hasQuit, closing == nil { closing = ClosingLimit(sockets, after: closingTimeout) }
    }
}

extension TLSPolicy {
    fileprivate var useSSL: Int {
        switch self {
        case .required: Int(CURLUSESSL_ALL.rawValue)
        case .opportunistic: Int(CURLUSESSL_TRY.rawValue)
        case .none: Int(CURLUSESSL_NONE.rawValue)
        }
    }
}
