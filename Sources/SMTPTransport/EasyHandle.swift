// Owns one libcurl easy handle with its callbacks, and the handle's only connection. Never judges a reply.

import CCurl
import OutboxCore

/// One libcurl easy handle. It opens one connection (look-up, TCP, greeting, EHLO, STARTTLS, certificate, AUTH) and
/// then moves bytes over it, through TLS where there is TLS (CURLOPT_CONNECT_ONLY).
///
/// Not Sendable: libcurl requires that only one thread at a time uses a handle.
final class EasyHandle {
    /// The result of opening a connection.
    struct Outcome {
        let code: CURLcode
        /// libcurl's own words for an error; empty where it has none.
        let message: String
        let dialogue: OpeningDialogue
        /// Our side aborted the opening.
        let wasAborted: Bool
        /// How the connection is protected; `nil` without TLS.
        let tls: TLSSession?
    }

    /// The result of trying to move bytes.
    enum Movement {
        /// This many bytes were moved, at least one.
        case moved(Int)
        /// No bytes can be moved at the moment.
        case wouldBlock
        /// No bytes can be moved any more; the text gives the reason.
        case ended(String)
    }

    /// The open sockets.
    let sockets = OpenSockets()

    private let handle: UnsafeMutableRawPointer
    private let callbacks: Callbacks
    private let errorBuffer: UnsafeMutablePointer<CChar>
    private var isClosed = false

    /// libcurl must be initialised once, before its first use by any thread (curl_global_init(3)).
    static let isInitialised = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// - Parameters:
    ///   - token: the access token, for a relay whose login needs one.
    ///   - trace: sees what is said while the connection opens.
    init(
        relay: SMTPRelay,
        authentication: AuthenticationChoice,
        token: String? = nil,
        trace: ConversationTrace? = nil
    ) {
        precondition(Self.isInitialised, "libcurl can't be initialised")
        guard let handle = curl_easy_init() else { preconditionFailure("out of memory") }
        self.handle = handle
        callbacks = Callbacks(sockets: sockets, trace: trace)
        errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        setOptions(relay)
        if let credentials = relay.credentials { set(credentials, authentication, token) }
        setCallbacks()
    }

    deinit { close() }

    /// Closes the connection without a word or a wait: libcurl sends no QUIT on a connection that it handed over.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        curl_easy_cleanup(handle)
        errorBuffer.deallocate()
    }

    /// Opens the connection. Blocks.
    func open() -> Outcome {
        precondition(!isClosed, "a closed handle opens nothing")
        let code = curl_easy_perform(handle)
        // The opening is over, so the debug callback need not see anything further.
        set(CURLOPT_VERBOSE, 0)
        return Outcome(
            code: code,
            message: code == CURLE_OK ? "" : message(for: code),
            dialogue: callbacks.dialogue,
            wasAborted: sockets.isShutDown,
            tls: callbacks.details.session(certificate: certificateFields)
        )
    }

    /// The fields of the relay's own certificate, `name:value`.
    private var certificateFields: [String] {
        var info: UnsafeMutablePointer<curl_certinfo>?
        guard ccurl_get_certinfo(handle, &info) == CURLE_OK, let info, info.pointee.num_of_certs > 0,
            var field = info.pointee.certinfo?[0]
        else { return [] }
        var fields: [String] = []
        while true {
            if let text = field.pointee.data { fields.append(String(cString: text)) }
            guard let next = field.pointee.next else { return fields }
            field = next
        }
    }

    /// The connection's socket, for poll(2); `nil` where libcurl has closed it.
    var socket: Int32? {
        var socket: curl_socket_t = -1
        guard ccurl_get_socket(handle, &socket) == CURLE_OK, socket >= 0 else { return nil }
        return socket
    }

    /// Writes the bytes that can be written at once.
    ///
    /// After `wouldBlock`, TLS requires the same bytes at the same address: OpenSSL refuses a copy ("bad write retry").
    func send(_ bytes: UnsafeRawBufferPointer) -> Movement {
        var count = 0
        errorBuffer[0] = 0
        let code = curl_easy_send(handle, bytes.baseAddress, bytes.count, &count)
        switch code {
        case CURLE_OK where count > 0: return .moved(count)
        case CURLE_OK, CURLE_AGAIN: return .wouldBlock
        default: return .ended("\(message(for: code)) (libcurl \(code.rawValue))")
        }
    }

    /// Reads the bytes that can be read at once. With TLS, decrypted bytes may wait although the socket is silent, so
    /// call until `wouldBlock`.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Movement {
        var count = 0
        errorBuffer[0] = 0
        let code = curl_easy_recv(handle, buffer.baseAddress, buffer.count, &count)
        switch code {
        case CURLE_OK where count > 0: return .moved(count)
        case CURLE_OK: return .ended("the relay closed the connection")
        case CURLE_AGAIN: return .wouldBlock
        default: return .ended("\(message(for: code)) (libcurl \(code.rawValue))")
        }
    }

    private func message(for code: CURLcode) -> String {
        errorBuffer[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorBuffer)
    }

    // MARK: Options

    private func setOptions(_ relay: SMTPRelay) {
        set(CURLOPT_URL, relay.configuration.url + "/" + (relay.configuration.helo.map(percentEncoded) ?? ""))
        set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
        set(CURLOPT_CONNECT_ONLY, 1)
        // Without this option libcurl uses SIGALRM, which is unsuitable for programs with threads (libcurl-thread(3)).
        set(CURLOPT_NOSIGNAL, 1)
        // An `ALL_PROXY` in the environment must not redirect mail.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_TCP_KEEPALIVE, 1)
        // Without this option, the wait for a silent name server outlasts the connect limit.
        setUnlessTooOld(ccurl_set_quick_exit(handle))
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(relay.configuration.connectTimeout.inMilliseconds))
        set(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, Int(relay.configuration.replyTimeout.components.seconds)))
        set(CURLOPT_USE_SSL, relay.configuration.tls.useSSL)
        // Both are libcurl's defaults, and are set explicitly because security depends on them.
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        set(CURLOPT_CERTINFO, 1)
        if let caFile = relay.configuration.caFile {
            set(CURLOPT_CAINFO, caFile)
            // Trust only these authorities.
            set(CURLOPT_CAPATH, nil)
        }
    }

    private func set(_ credentials: SMTPCredentials, _ authentication: AuthenticationChoice, _ token: String?) {
        set(CURLOPT_USERNAME, credentials.user)
        switch credentials.proof {
        case .password(let password): set(CURLOPT_PASSWORD, password)
        case .tokens: set(CURLOPT_XOAUTH2_BEARER, token)
        }
        if let options = authentication.loginOptions { set(CURLOPT_LOGIN_OPTIONS, options) }
        // Sends the initial response (RFC 4954 §4) with the command, because some servers require it.
        set(CURLOPT_SASL_IR, 1)
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(callbacks).toOpaque()
        set(CURLOPT_ERRORBUFFER, pointer: errorBuffer)
        set(CURLOPT_HEADERDATA, pointer: context)
        check(
            ccurl_set_data_callback(handle, CURLOPT_HEADERFUNCTION) { data, size, count, context in
                // A result other than the size ends the opening with CURLE_WRITE_ERROR.
                Callbacks.at(context).receives(data, count: size * count) ? size * count : 0
            }
        )
        set(CURLOPT_DEBUGDATA, pointer: context)
        check(
            ccurl_set_debug_callback(handle) { _, type, data, count, context in
                switch type {
                case CURLINFO_HEADER_OUT: Callbacks.at(context).sends(data, count: count)
                case CURLINFO_TEXT: Callbacks.at(context).notes(data, count: count)
                default: break
                }
                return 0
            }
        )
        // Only the debug callback sees the commands, and libcurl calls it only in verbose mode.
        set(CURLOPT_VERBOSE, 1)
        // Called at least about once a second: ends waits without a socket, such as a name look-up.
        set(CURLOPT_XFERINFODATA, pointer: context)
        check(ccurl_set_progress_callback(handle) { context, _, _, _, _ in Callbacks.at(context).mustAbort ? 1 : 0 })
        set(CURLOPT_NOPROGRESS, 0)
        set(CURLOPT_SOCKOPTDATA, pointer: context)
        check(
            ccurl_set_socket_option_callback(handle) { context, descriptor, _ in
                Callbacks.at(context).sockets.opened(descriptor)
                return CURL_SOCKOPT_OK
            }
        )
        set(CURLOPT_CLOSESOCKETDATA, pointer: context)
        check(ccurl_set_close_socket_callback(handle) { Callbacks.at($0).sockets.close($1) })
    }

    private func set(_ option: CURLoption, _ value: String?) { check(ccurl_set_string(handle, option, value)) }
    private func set(_ option: CURLoption, _ value: Int) { check(ccurl_set_long(handle, option, value)) }
    private func set(_ option: CURLoption, pointer: UnsafeMutableRawPointer?) {
        check(ccurl_set_pointer(handle, option, pointer))
    }

    /// If libcurl refuses an option, it lacks SMTP, TLS or memory, and we can't continue.
    private func check(_ code: CURLcode) {
        precondition(code == CURLE_OK, String(cString: curl_easy_strerror(code)))
    }

    /// The same check for an option that a libcurl older than the build-time version doesn't know.
    private func setUnlessTooOld(_ code: CURLcode) {
        if code != CURLE_UNKNOWN_OPTION { check(code) }
    }

    /// For the path of the URL, which libcurl decodes again.
    private func percentEncoded(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "-._".contains(character))
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(character) : "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }
}

/// The state that libcurl's callbacks use.
private final class Callbacks {
    private(set) var dialogue = OpeningDialogue()
    private(set) var details = TLSDetails()
    let sockets: OpenSockets
    private let trace: ConversationTrace?

    init(sockets: OpenSockets, trace: ConversationTrace?) {
        self.sockets = sockets
        self.trace = trace
    }

    static func at(_ context: UnsafeMutableRawPointer?) -> Callbacks {
        guard let context else { preconditionFailure("libcurl lost a callback's context") }
        return Unmanaged<Callbacks>.fromOpaque(context).takeUnretainedValue()
    }

    var mustAbort: Bool { sockets.isShutDown }

    func receives(_ data: UnsafeMutablePointer<CChar>?, count: Int) -> Bool {
        let line = UnsafeRawBufferPointer(start: data, count: count)
        trace?.receives(line)
        return dialogue.receives(line)
    }

    func notes(_ data: UnsafeMutablePointer<CChar>?, count: Int) {
        let text = String(decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self)
        trace?.notes(text)
        details.notes(text)
    }

    func sends(_ data: UnsafeMutablePointer<CChar>?, count: Int) {
        let command = UnsafeRawBufferPointer(start: data, count: count)
        trace?.opens(with: command)
        dialogue.sends(command)
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
