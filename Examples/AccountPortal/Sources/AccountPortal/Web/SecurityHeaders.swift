// The header fields of every answer, and pages instead of bare errors.

import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Adds what keeps a page private, and turns errors into pages.
struct SecurityHeaders: RouterMiddleware {
    typealias Context = PortalContext

    let isSecure: Bool

    func handle(
        _ request: Request,
        context: PortalContext,
        next: (Request, PortalContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as HTTPError {
            response = Self.page(error.status)
        } catch is Passwords.Busy {
            response = Self.page(.serviceUnavailable)
            response.headers[.retryAfter] = "5"
        } catch {
            // The words of an error may quote a value, so only its type is logged.
            context.logger.error("a request failed", metadata: ["error": "\(type(of: error))"])
            response = Self.page(.internalServerError)
        }
        // No script, no foreign content, no frame: the pages have neither.
        response.headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        response.headers[.xContentTypeOptions] = "nosniff"
        for (name, value) in [
            ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Robots-Tag", "noindex"),
        ] {
            if let name = HTTPField.Name(name) { response.headers[name] = value }
        }
        if isSecure { response.headers[.strictTransportSecurity] = "max-age=31536000" }
        return response
    }

    private static func page(_ status: HTTPResponse.Status) -> Response {
        let page: HTML = """
            <!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>\(status.reasonPhrase)</title>
            <link rel="stylesheet" href="/style.css"><main class="card"><h1>\(status.code) \(status.reasonPhrase)</h1>
            <p><a href="/">Start</a> · <a href="/?lang=ja" lang="ja">はじめに戻る</a></p></main></html>
            """
        return Response(status: status, html: page)
    }
}

extension Response {
    /// A page.
    init(status: HTTPResponse.Status = .ok, html: HTML) {
        self.init(
            status: status,
            headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: html.text))
        )
    }
}
