// Signing in and out, and the account's page. Signing in completes a verification whose link the browser came with.

import Foundation
import Hummingbird
import OutboxClient

extension Portal {
    func showSignIn(_ request: Request, _ visit: Visit) async throws -> Response {
        page(signInForm(visit, isVerifying: verification(request) != nil), visit)
    }

    func signIn(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        let address = form.address
        guard try await accounts.mayGuess(address, visit.asking) else {
            return page(tooManyGuesses(visit), visit, status: .tooManyRequests)
        }
        let user = try await accounts.user(address: address)
        let isRight = try await passwords.verify(form["password"], against: user?.password)
        guard isRight, let user else { return wrongPassword(request, visit, address) }
        switch try await accounts.signIn(user, verification: verification(request), replacing: visit.session) {
        case .changed: return wrongPassword(request, visit, address)
        case .signedIn(let session, let result):
            var response = Response.redirect(to: result.map { "/?verification=\($0.rawValue)" } ?? "/")
            begin(session, on: &response)
            return response
        }
    }

    func signOut(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        if let session = visit.session { try await accounts.signOut(session) }
        var response = Response.redirect(to: "/sign-in")
        cookies.remove(.session, on: &response)
        return response
    }

    func showAccount(_ request: Request, _ visit: Visit) async throws -> Response {
        guard let user = visit.user else { return .redirect(to: "/sign-in") }
        let result = request.uri.queryParameters["verification"].flatMap { Redemption.Result(rawValue: String($0)) }
        return page(accountPage(user, visit, result: result), visit)
    }

    func resendVerification(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        guard let user = visit.user else { return .redirect(to: "/sign-in") }
        switch try await accounts.resendVerification(to: user, visit.asking) {
        case .taken, .refused: return .redirect(to: user.isVerified ? "/" : "/sign-up/mail")
        case .tooMany: return page(tooMany(visit), visit, status: .tooManyRequests)
        }
    }

    func verifyCode(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        guard let user = visit.user, let session = visit.session else { return .redirect(to: "/sign-in") }
        let result = try await accounts.verify(user, code: form["code"], session: session)
        return .redirect(to: "/?verification=\(result.rawValue)")
    }

    /// Begins a session: always with a new cookie, so that one from before the sign-in is worth nothing.
    func begin(_ session: Secret, on response: inout Response) {
        cookies.set(.session, to: session.text, seconds: Int(Accounts.sessionHours) * 3600, on: &response)
        cookies.remove(.verification, on: &response)
        cookies.remove(.reset, on: &response)
    }

    private func verification(_ request: Request) -> String? {
        cookies.value(.verification, of: request).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func wrongPassword(_ request: Request, _ visit: Visit, _ address: String) -> Response {
        let problem = visit.language("Email or password is wrong.", "メールアドレスまたはパスワードが正しくありません。")
        let form = signInForm(visit, isVerifying: verification(request) != nil, address: address, problem: problem)
        return page(form, visit, status: .unprocessableContent)
    }

    private func signInForm(_ visit: Visit, isVerifying: Bool, address: String = "", problem: HTML? = nil) -> Page {
        let say = visit.language
        let banner: HTML =
            isVerifying
            ? Layout.banner(
                say(
                    "Sign in to complete the verification of your email address.",
                    "サインインすると、メールアドレスの確認が完了します。"
                )
            ) : ""
        return Page(
            title: say("Sign In", "サインイン"),
            content: """
                \(banner)\(problem.map { Layout.banner($0, kind: .problem) } ?? "")
                <form method="post" action="/sign-in">\(Layout.token(visit))
                \(Layout.addressField(say, value: address))
                <label for="password">\(say("Password", "パスワード"))</label>
                <input id="password" name="password" type="password" autocomplete="current-password" required maxlength="256">
                <button>\(say("Sign In", "サインイン"))</button></form>
                <p class="links"><a href="/forgot-password">\(say("Forgot password?", "パスワードをお忘れの場合"))</a> ·
                <a href="/sign-up">\(say("Sign Up", "新規登録"))</a></p>
                """
        )
    }

    private func accountPage(_ user: User, _ visit: Visit, result: Redemption.Result?) -> Page {
        let say = visit.language
        let content: HTML =
            user.isVerified
            ? """
            \(result.map { _ in Layout.banner(say("Your email address is verified.", "メールアドレスの確認が完了しました。"), kind: .done) } ?? "")
            <p>\(say("You are signed in as \(user.address).", "\(user.address) でサインインしています。"))</p>
            """
            : """
            \(result.flatMap { refusal($0, say) }.map { Layout.banner($0, kind: .problem) } ?? "")
            \(Layout.banner(say(
                "Your email address \(user.address) is not verified yet. Open the link in the mail, or type its code here.",
                "\(user.address) はまだ確認されていません。メールのリンクを開くか、メールに記載のコードを入力してください。"
            )))
            <form method="post" action="/verification/code">\(Layout.token(visit))
            \(Layout.codeField(say))<button>\(say("Verify", "確認する"))</button></form>
            <form method="post" action="/verification/resend" class="links">\(Layout.token(visit))
            <button>\(say("Resend verification email", "確認メールを再送する"))</button></form>
            """
        return Page(title: say("Your account", "アカウント"), content: content)
    }

    /// What to tell the person whose link or code was refused.
    func refusal(_ result: Redemption.Result, _ say: Language) -> HTML? {
        switch result {
        case .ok: nil
        case .used: say("This link or code was used already.", "このリンクまたはコードは使用済みです。")
        case .replaced:
            say(
                "A newer email was sent. Use the link or the code in the newest one.",
                "より新しいメールをお送りしています。最新のメールのリンクまたはコードをご利用ください。"
            )
        case .expired:
            say(
                "The time of this link or code has run out. Request a new email.",
                "リンクまたはコードの有効期限が切れています。新しいメールをお申し込みください。"
            )
        case .unknown:
            say("This link is not valid for this account.", "このリンクはこのアカウントでは使用できません。")
        case .wrongCode: say("The code is wrong. Check its eight digits.", "コードが正しくありません。8桁の数字をご確認ください。")
        case .tooManyTries:
            say(
                "Too many wrong codes: the code no longer works. The link in the email still does, in the browser that asked for it; or request a new email.",
                "誤ったコードの入力が上限に達したため、コードは無効になりました。お申し込みのブラウザーでメールのリンクを開くか、新しいメールをお申し込みください。"
            )
        }
    }

    private func tooManyGuesses(_ visit: Visit) -> Page {
        let say = visit.language
        return Page(
            title: say("Please wait", "しばらくお待ちください"),
            content: """
                <p>\(say(
                    "Too many attempts to sign in. Try again in 15 minutes, or <a href=\"/forgot-password\">reset the password</a>.",
                    "サインインの試行回数が上限を超えました。15分ほど経ってからもう一度お試しいただくか、<a href=\"/forgot-password\">パスワードを再設定</a>してください。"
                ))</p>
                """
        )
    }
}
