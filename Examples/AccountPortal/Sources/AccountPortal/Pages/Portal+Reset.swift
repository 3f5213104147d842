// Forgotten passwords: the same pages for every address, and the new password with link or code.

import Foundation
import Hummingbird
import OutboxClient

extension Portal {
    func showForgotPassword(_ request: Request, _ visit: Visit) async throws -> Response {
        page(forgotForm(visit), visit)
    }

    func forgotPassword(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        let address = form.address
        // Only the form: whether there is such an account must not matter here.
        guard address.utf8.count <= 254, address.contains("@") else {
            let problem = visit.language("Type your email address.", "メールアドレスを入力してください。")
            return refused(forgotForm(visit, problem: problem), visit)
        }
        switch try await accounts.forgotPassword(address: address, visit.asking) {
        case .taken, .refused:
            carrying.wake()
            return .redirect(to: "/forgot-password/mail")
        case .tooMany: return page(tooMany(visit), visit, status: .tooManyRequests)
        }
    }

    /// Which mail to look for. The clock is that of the requests, never of the outbox: a state of a mail would tell that
    /// the address has an account.
    func showResetMail(_ request: Request, _ visit: Visit) async throws -> Response {
        let (all, _) = try await accounts.requests(of: visit.browser, kind: .resetPassword)
        guard let newest = all.first else { return .redirect(to: "/forgot-password") }
        let say = visit.language
        // As outboxd's guidance: one more request within an hour.
        let count = all.filter { $0.address == newest.address && $0.requestedAt > Date(timeIntervalSinceNow: -3600) }
            .count
        let end = newest.requestedAt.addingTimeInterval(patience)
        let advice: HTML
        if end > Date() {
            advice = Layout.banner(wait(until: end, say))
        } else if count < 2 {
            advice = """
                \(Layout.banner(say(
                    "Look in the Junk folder, too. If the mail is not there, request it one more time.",
                    "迷惑メールフォルダもご確認ください。見つからない場合は、もう一度だけお申し込みください。"
                )))
                <form method="post" action="/forgot-password">\(Layout.token(visit))
                <input type="hidden" name="address" value="\(newest.address)">
                <button>\(say("Send Email one more time", "もう一度メールを送信する"))</button></form>
                """
        } else {
            advice = """
                \(Layout.banner(say(
                    "Didn’t receive a password reset email? Follow these steps.",
                    "パスワード再設定のメールが届かない場合は、次の手順をお試しください。"
                )))
                \(steps(say))
                """
        }
        let content: HTML = """
            <p>\(say(
                "If \(newest.address) has an account, this email is on its way to it.",
                "\(newest.address) のアカウントがある場合は、次のメールをお送りしています。"
            ))</p>
            \(lookFor(newest.address, subject: say("Reset your password", "パスワードの再設定"), say))
            \(advice)
            <p><a href="\(visit.path)">\(say("Check again", "状況を再確認する"))</a></p>
            <p class="links">\(say("You read the mail elsewhere?", "別の端末でメールをご覧の場合："))
            <a href="/reset-password/code">\(say("Type the code from the mail", "メールに記載のコードを入力する"))</a></p>
            """
        return page(
            Page(title: say("Check your email", "メールをご確認ください"), content: content, refreshSeconds: 15),
            visit
        )
    }

    /// The page behind the mail's link. It changes nothing: the token ends when the new password is stored.
    func showNewPassword(_ request: Request, _ visit: Visit) async throws -> Response {
        guard let token = resetToken(request) else { return page(noLink(visit, .unknown), visit) }
        return page(newPasswordPage(try await accounts.look(token: token, browser: visit.browser), visit), visit)
    }

    func setNewPassword(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        guard let token = resetToken(request) else { return page(noLink(visit, .unknown), visit) }
        let link = try await accounts.look(token: token, browser: visit.browser)
        if let problem = problem(with: form["password"], of: link.address ?? "", visit.language) {
            return refused(newPasswordPage(link, visit, problem: problem), visit)
        }
        guard try await accounts.mayTypeCode(visit.network) else {
            return page(tooMany(visit), visit, status: .tooManyRequests)
        }
        let hash = try await passwords.hash(form["password"])
        let stored = try await accounts.setPassword(
            hash,
            token: token,
            code: form["code"],
            browser: visit.browser
        )
        guard let session = stored.session else {
            let problem = refusal(stored.result, visit.language)
            return refused(newPasswordPage(link, visit, problem: problem), visit)
        }
        return signedIn(session)
    }

    func showResetCode(_ request: Request, _ visit: Visit) async throws -> Response {
        let newest = try await accounts.requests(of: visit.browser, kind: .resetPassword).requests.first
        return page(codeForm(visit, address: newest?.address ?? ""), visit)
    }

    private func refused(_ form: Page, _ visit: Visit) -> Response { page(form, visit, status: .unprocessableContent) }

    func setPasswordWithCode(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        let address = form.address
        if let problem = problem(with: form["password"], of: address, visit.language) {
            return refused(codeForm(visit, address: address, problem: problem), visit)
        }
        guard try await accounts.mayTypeCode(visit.network) else {
            return page(tooMany(visit), visit, status: .tooManyRequests)
        }
        let hash = try await passwords.hash(form["password"])
        let stored = try await accounts.setPassword(hash, address: address, code: form["code"])
        guard let session = stored.session else {
            // One answer for an address without account, an old mail and a wrong code: each would tell something.
            let problem = visit.language(
                "The code is wrong, or no longer works. After five wrong codes only a new email helps.",
                "コードが正しくないか、無効になっています。5回誤った場合は、新しいメールをお申し込みください。"
            )
            return refused(codeForm(visit, address: address, problem: problem), visit)
        }
        return signedIn(session)
    }

    func showHelp(_ request: Request, _ visit: Visit) async throws -> Response {
        let say = visit.language
        return page(
            Page(title: say("Didn’t receive an email?", "メールが届かない場合"), content: steps(say)),
            visit
        )
    }

    private func signedIn(_ session: Secret) -> Response {
        var response = Response.redirect(to: "/")
        begin(session, on: &response)
        return response
    }

    private func resetToken(_ request: Request) -> String? {
        cookies.value(.reset, of: request).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func forgotForm(_ visit: Visit, problem: HTML? = nil) -> Page {
        let say = visit.language
        return Page(
            title: say("Forgot password", "パスワードをお忘れの場合"),
            content: """
                \(problem.map { Layout.banner($0, kind: .problem) } ?? "")
                <p>\(say("Type the address of your account. We send you a link to choose a new password.",
                         "アカウントのメールアドレスを入力してください。新しいパスワードを設定するためのリンクをお送りします。"))</p>
                <form method="post" action="/forgot-password">\(Layout.token(visit))
                \(Layout.addressField(say))<button>\(say("Send Email", "メールを送信する"))</button></form>
                <p class="links"><a href="/sign-in">\(say("Back to Sign In", "サインインに戻る"))</a></p>
                """
        )
    }

    private func newPasswordPage(_ link: Accounts.Link, _ visit: Visit, problem: HTML? = nil) -> Page {
        guard link.result == .ok else { return noLink(visit, link.result) }
        let say = visit.language
        let code: HTML =
            link.isFromAskingBrowser
            ? ""
            : """
            <p>\(say(
                "This browser did not ask for the email, so the code from the email is needed, too.",
                "お申し込みと異なるブラウザーのため、メールに記載のコードも入力してください。"
            ))</p>\(Layout.codeField(say))
            """
        return Page(
            title: say("Create new password", "新しいパスワードの作成"),
            content: """
                \(problem.map { Layout.banner($0, kind: .problem) } ?? "")
                <p>\(say("For the account \(link.address ?? "").", "アカウント：\(link.address ?? "")"))</p>
                <form method="post" action="/reset-password/new">\(Layout.token(visit))\(code)
                \(Layout.newPasswordField(say))
                <button>\(say("Create new password and sign in", "新しいパスワードを作成してサインイン"))</button></form>
                """
        )
    }

    private func codeForm(_ visit: Visit, address: String, problem: HTML? = nil) -> Page {
        let say = visit.language
        return Page(
            title: say("Create new password", "新しいパスワードの作成"),
            content: """
                \(problem.map { Layout.banner($0, kind: .problem) } ?? "")
                <form method="post" action="/reset-password/code">\(Layout.token(visit))
                \(Layout.addressField(say, value: address))\(Layout.codeField(say))
                \(Layout.newPasswordField(say))
                <button>\(say("Create new password and sign in", "新しいパスワードを作成してサインイン"))</button></form>
                """
        )
    }

    private func noLink(_ visit: Visit, _ result: Redemption.Result) -> Page {
        let say = visit.language
        return Page(
            title: say("This link does not work", "リンクを使用できません"),
            content: """
                \(Layout.banner(refusal(result, say) ?? "", kind: .problem))
                <p><a href="/forgot-password">\(say("Request a new email", "新しいメールを申し込む"))</a></p>
                """
        )
    }

    private func link(_ say: Language) -> HTML {
        "<a href=\"/mail-administrator\">\(say("For mail administrators", "メール管理者の方へ"))</a>"
    }

    /// What somebody can do whose mail doesn't come.
    private func steps(_ say: Language) -> HTML {
        """
        <ol><li>\(say("Wait five minutes, and look in the Junk folder.", "5分ほど待ってから、迷惑メールフォルダをご確認ください。"))</li>
        <li>\(say("Check the address for mistakes.", "メールアドレスに誤りがないかご確認ください。"))</li>
        <li>\(say("Ask for the email one more time, and use the newest one.", "もう一度だけメールをお申し込みになり、最新のメールをご利用ください。"))</li>
        <li>\(say(
            "Ask your mail administrator to let through emails from \(sender), and to look for a held one. \(link(say))",
            "メール管理者に、\(sender) からのメールが保留されていないか確認し、受信を許可するよう依頼してください。\(link(say))"
        ))</li>
        <li>\(say(
            "The account’s owner has left? Your mail administrator can pass you the reset email, its link or its code.",
            "アカウントの所有者が退職された場合は、メール管理者から再設定メールのリンクまたはコードを受け取ってください。"
        ))</li></ol>
        """
    }
}
