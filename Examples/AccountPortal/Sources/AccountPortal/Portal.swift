// The routes of the portal, and what all of them do first. A GET or HEAD never changes the database.

import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The portal.
struct Portal: Sendable {
    let accounts: Accounts
    let passwords: Passwords
    let cookies: CookieJar
    let layout: Layout
    /// Who sends the mails, as mail programs show it.
    let sender: String
    /// How long people should wait for a mail, in seconds.
    let patience: Double
    let carrying: RequestCarrier

    /// All pages.
    func router() -> Router<PortalContext> {
        let router = Router(context: PortalContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: SecurityHeaders(isSecure: cookies.isSecure))
        router.get("/style.css") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/css; charset=utf-8", .cacheControl: "no-cache"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: Layout.style))
            )
        }
        show("/", showAccount, in: router)
        show("/sign-up", showSignUp, in: router)
        send("/sign-up", signUp, in: router)
        show("/sign-up/mail", showVerificationMail, in: router)
        router.get("/verify-email") { request, _ in takeToken(of: request, into: .verification, then: "/sign-in") }
        show("/sign-in", showSignIn, in: router)
        send("/sign-in", signIn, in: router)
        send("/sign-out", signOut, in: router)
        send("/verification/resend", resendVerification, in: router)
        send("/verification/code", verifyCode, in: router)
        show("/forgot-password", showForgotPassword, in: router)
        send("/forgot-password", forgotPassword, in: router)
        show("/forgot-password/mail", showResetMail, in: router)
        router.get("/reset-password") { request, _ in
            takeToken(of: request, into: .reset, then: "/reset-password/new")
        }
        show("/reset-password/new", showNewPassword, in: router)
        send("/reset-password/new", setNewPassword, in: router)
        show("/reset-password/code", showResetCode, in: router)
        send("/reset-password/code", setPasswordWithCode, in: router)
        show("/help", showHelp, in: router)
        show("/users", showUsers, in: router)
        send("/users/invite", invite, in: router)
        send("/users/access", setAccess, in: router)
        send("/users/remove", removeUser, in: router)
        show("/mail-administrator", showMailTrace, in: router)
        send("/mail-administrator", traceMail, in: router)
        return router
    }

    typealias Showing = @Sendable (Request, Visit) async throws -> Response
    typealias Sending = @Sendable (Request, Visit, Form) async throws -> Response

    /// A page.
    func show(_ path: RouterPath, _ handler: @escaping Showing, in router: Router<PortalContext>) {
        router.get(path) { request, context in
            let visit = try await visit(request, context)
            var response = try await handler(request, visit)
            remember(visit, request, on: &response)
            return response
        }
    }

    /// A form.
    func send(_ path: RouterPath, _ handler: @escaping Sending, in router: Router<PortalContext>) {
        router.post(path) { request, context in
            let form = try await Form(request, context)
            let visit = try await visit(request, context)
            var response: Response
            if visit.sent(form) {
                response = try await handler(request, visit, form)
            } else {
                response = page(staleForm(visit), visit, status: .forbidden)
            }
            remember(visit, request, on: &response)
            return response
        }
    }

    /// A page as an answer.
    func page(_ page: Page, _ visit: Visit, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, html: layout.render(page, for: visit))
    }

    private func visit(_ request: Request, _ context: PortalContext) async throws -> Visit {
        let known = Secret(cookie: cookies.value(.browser, of: request))
        let session = Secret(cookie: cookies.value(.session, of: request))
        let user = try await accounts.user(ofSession: session)
        let language =
            request.uri.queryParameters["lang"].flatMap { Language(rawValue: String($0)) }
            ?? cookies.value(.language, of: request).flatMap(Language.init(rawValue:))
            ?? Language(acceptLanguage: request.headers[.acceptLanguage])
        return Visit(
            language: language,
            browser: known ?? Secret(),
            isNewBrowser: known == nil,
            session: user == nil ? nil : session,
            user: user,
            network: context.network,
            path: request.uri.path
        )
    }

    private func remember(_ visit: Visit, _ request: Request, on response: inout Response) {
        if visit.isNewBrowser {
            cookies.set(.browser, to: visit.browser.text, seconds: 365 * 86_400, on: &response)
        }
        if request.uri.queryParameters["lang"] != nil {
            cookies.set(.language, to: visit.language.rawValue, seconds: 365 * 86_400, on: &response)
        }
    }

    /// Answers a mail's link: the token leaves the address, and with it the history, for a short cookie.
    private func takeToken(of request: Request, into cookie: CookieJar.Name, then path: String) -> Response {
        var response = Response.redirect(to: path)
        if let token = request.uri.queryParameters["token"], Self.isToken(token) {
            cookies.set(cookie, to: String(token), seconds: 1800, on: &response)
        } else {
            cookies.remove(cookie, on: &response)
        }
        return response
    }

    /// What can stand in a cookie as it is, and is no longer than any token of outboxd.
    private static func isToken(_ text: Substring) -> Bool {
        (22...256).contains(text.utf8.count) && text.isBase64URL
    }
}
