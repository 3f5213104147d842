// Sends one POST to a token server through libcurl. Never reads the meaning of the answer (see TokenAnswer).

import CCurl
import OutboxCore

/// One request over HTTPS, on a libcurl handle of its own.
///
/// Not Sendable: libcurl requires that only one thread at a time uses a handle.
final class TokenRequest {
    /// In octets. A token server's answer has a few thousand.
    private static let longestAnswer = 64 * 1024

    /// The open sockets, so that another thread can end the request.
    let sockets = OpenSockets()

    private let handle: UnsafeMutableRawPointer
    private let exchange: Exchange
    private let errorBuffer: UnsafeMutablePointer<CChar>

    /// - Parameters:
    ///   - form: the body, which contains the secrets.
    ///   - limit: the time limit for the whole request.
    init(_ client: OAuthClient, form: String, within limit: Duration) {
        precondition(EasyHandle.isInitialised, "libcurl can't be initialised")
        guard let handle = curl_easy_init() else { preconditionFailure("out of memory") }
        self.handle = handle
        exchange = Exchange(sockets: sockets, limit: Self.longestAnswer)
        errorBuffer = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        setOptions(client, form, limit)
        setCallbacks()
    }

    deinit {
        curl_easy_cleanup(handle)
        errorBuffer.deallocate()
    }

    /// Sends the request and reads the answer. Blocks.
    func perform() -> Result<TokenGrant, TokenFailure> {
        let code = curl_easy_perform(handle)
        if sockets.isShutDown {
            return .failure(TokenFailure(kind: .interrupted, words: "ended by the shutdown of outboxd"))
        }
        if exchange.isTooLong {
            return .failure(
                TokenFailure(kind: .refused, words: "the token server's answer is too long; check token_url")
            )
        }
        guard code == CURLE_OK else {
            let message = errorBuffer[0] == 0 ? String(cString: curl_easy_strerror(code)) : String(cString: errorBuffer)
            return .failure(
                TokenFailure(
                    kind: code.isOfCertificate ? .refused : .unavailable,
                    words: "the token server: \(message) (libcurl \(code.rawValue))"
                )
            )
        }
        var status = 0
        check(ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status))
        return TokenAnswer.read(status: status, body: exchange.answer)
    }

    // MARK: Options

    private func setOptions(_ client: OAuthClient, _ form: String, _ limit: Duration) {
        // Nothing but the scheme that the configuration permits. Redirects are not followed: that is libcurl's default,
        // and the secrets must reach no other server.
        let isSecure = client.tokenURL.lowercased().hasPrefix("https:")
        set(CURLOPT_URL, client.tokenURL)
        set(CURLOPT_PROTOCOLS_STR, isSecure ? "https" : "http")
        set(CURLOPT_FOLLOWLOCATION, 0)
        // A proxy for https only forwards TLS, so `https_proxy` is respected. Without TLS it would see the secrets.
        if !isSecure { set(CURLOPT_PROXY, "") }
        set(CURLOPT_COPYPOSTFIELDS, form)
        set(CURLOPT_USERAGENT, "outboxd")
        set(CURLOPT_NOSIGNAL, 1)
        let milliseconds = max(1, Int(limit.inMilliseconds))
        set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds)
        set(CURLOPT_TIMEOUT_MS, milliseconds)
        let quickExit = ccurl_set_quick_exit(handle)
        if quickExit != CURLE_UNKNOWN_OPTION { check(quickExit) }
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
        if let caFile = client.caFile {
            set(CURLOPT_CAINFO, caFile)
            // Trust only these authorities.
            set(CURLOPT_CAPATH, nil)
        }
    }

    private func setCallbacks() {
        let context = Unmanaged.passUnretained(exchange).toOpaque()
        check(ccurl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorBuffer))
        check(ccurl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        check(
            ccurl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) { data, size, count, context in
                Exchange.at(context).receives(data, count: size * count) ? size * count : 0
            }
        )
        check(ccurl_set_pointer(handle, CURLOPT_XFERINFODATA, context))
        check(
            ccurl_set_progress_callback(handle) { context, _, _, _, _ in
                Exchange.at(context).sockets.isShutDown ? 1 : 0
            }
        )
        set(CURLOPT_NOPROGRESS, 0)
        check(ccurl_set_pointer(handle, CURLOPT_SOCKOPTDATA, context))
        check(
            ccurl_set_socket_option_callback(handle) { context, descriptor, _ in
                Exchange.at(context).sockets.opened(descriptor)
                return CURL_SOCKOPT_OK
            }
        )
        check(ccurl_set_pointer(handle, CURLOPT_CLOSESOCKETDATA, context))
        check(ccurl_set_close_socket_callback(handle) { Exchange.at($0).sockets.close($1) })
    }

    private func set(_ option: CURLoption, _ value: String?) { check(ccurl_set_string(handle, option, value)) }
    private func set(_ option: CURLoption, _ value: Int) { check(ccurl_set_long(handle, option, value)) }

    /// If libcurl refuses an option, it lacks HTTP, TLS or memory, and we can't continue.
    private func check(_ code: CURLcode) {
        precondition(code == CURLE_OK, String(cString: curl_easy_strerror(code)))
    }
}

/// The state that libcurl's callbacks use.
private final class Exchange {
    private(set) var answer: [UInt8] = []
    private(set) var isTooLong = false
    let sockets: OpenSockets
    private let limit: Int

    init(sockets: OpenSockets, limit: Int) {
        self.sockets = sockets
        self.limit = limit
    }

    static func at(_ context: UnsafeMutableRawPointer?) -> Exchange {
        guard let context else { preconditionFailure("libcurl lost a callback's context") }
        return Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
    }

    /// Returns false, which ends the request, where the answer gets too long.
    func receives(_ data: UnsafeMutablePointer<CChar>?, count: Int) -> Bool {
        guard answer.count + count <= limit else {
            isTooLong = true
            return false
        }
        answer += UnsafeRawBufferPointer(start: data, count: count)
        return true
    }
}

extension CURLcode {
    /// The server's certificate isn't trusted, or the file of authorities can't be used.
    fileprivate var isOfCertificate: Bool {
        switch self {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR: true
        default: false
        }
    }
}
