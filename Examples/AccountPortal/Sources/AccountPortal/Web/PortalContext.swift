// What belongs to one request: who asks, from where, in which language. Never reads the body.

import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Hummingbird's context with the address of the other side.
struct PortalContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The network that asks: a /24 of IPv4, a /64 of IPv6. One person has a whole one of the latter.
    let network: String
    /// A form has a few short fields.
    var maxUploadSize: Int { 16 * 1024 }

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        network = Self.network(of: source.channel.remoteAddress)
    }

    private static func network(of address: SocketAddress?) -> String {
        guard let address, let text = address.ipAddress else { return "unknown" }
        switch address.protocol {
        case .inet: return text.split(separator: ".").prefix(3).joined(separator: ".")
        case .inet6:
            guard case .v6(let socket) = address else { return text }
            return withUnsafeBytes(of: socket.address.sin6_addr) { bytes in
                bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":")
            }
        default: return "local"
        }
    }
}

/// Names and attributes of the portal's cookies.
struct CookieJar: Sendable {
    /// What a cookie is for.
    enum Name: String, Sendable {
        /// A session of somebody who signed in.
        case session
        /// A browser, from its first page on: the browser that asked for a mail.
        case browser
        /// The token of a verification mail, until the person has signed in.
        case verification
        /// The token of a reset mail, until the new password is stored.
        case reset
        case language
    }

    /// Over https cookies are `Secure`, and their names begin with `__Host-`, so that no other host of the domain sets them.
    let isSecure: Bool

    func value(_ name: Name, of request: Request) -> String? { request.cookies[fullName(name)]?.value }

    /// Lax: a link in a mail must find the browser's cookie; a form of another site must not.
    func set(_ name: Name, to value: String, seconds: Int, on response: inout Response) {
        response.setCookie(
            Cookie(
                name: fullName(name),
                value: value,
                maxAge: seconds,
                path: "/",
                secure: isSecure,
                httpOnly: true,
                sameSite: .lax
            )
        )
    }

    func remove(_ name: Name, on response: inout Response) { set(name, to: "", seconds: 0, on: &response) }

    private func fullName(_ name: Name) -> String { isSecure ? "__Host-\(name.rawValue)" : name.rawValue }
}

/// One request as the pages see it.
struct Visit: Sendable {
    let language: Language
    let browser: Secret
    let isNewBrowser: Bool
    /// The cookie of a session that goes on.
    let session: Secret?
    let user: User?
    let network: String
    /// The path without query: where the links of the languages lead.
    let path: String

    var asking: Asking { Asking(browser: browser, network: network, language: language) }

    /// What forms carry: bound to the session, or to the browser where nobody has signed in.
    var formToken: String { (session ?? browser).formToken }

    /// Whether a form of this visitor's own pages was sent.
    func sent(_ form: Form) -> Bool { (session ?? browser).isFormToken(form["form_token"]) }
}

/// The fields of a sent form.
struct Form: Sendable {
    private let fields: [String: String]

    /// Reads `application/x-www-form-urlencoded`, at most 16 KiB.
    ///
    /// - Throws: `HTTPError` for anything else.
    init(_ request: Request, _ context: PortalContext) async throws {
        guard request.headers[.contentType]?.hasPrefix("application/x-www-form-urlencoded") == true else {
            throw HTTPError(.unsupportedMediaType)
        }
        // Browsers say where a request comes from. Origin can't be used: with Referrer-Policy no-referrer it is "null".
        if let site = HTTPField.Name("Sec-Fetch-Site").flatMap({ request.headers[$0] }),
            site != "same-origin", site != "none"
        {
            throw HTTPError(.forbidden)
        }
        let body: ByteBuffer
        do { body = try await request.body.collect(upTo: context.maxUploadSize) } catch is NIOTooManyBytesError {
            throw HTTPError(.contentTooLarge)
        }
        do { fields = try URLEncodedFormDecoder().decode([String: String].self, from: String(buffer: body)) } catch {
            throw HTTPError(.badRequest)
        }
    }

    /// A field's value; empty if the form doesn't have it.
    subscript(name: String) -> String { fields[name] ?? "" }

    /// An address as typed or copied, without spaces around it.
    var address: String { self["address"].trimmingCharacters(in: .whitespacesAndNewlines) }
}
