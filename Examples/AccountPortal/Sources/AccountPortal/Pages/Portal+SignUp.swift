// Signing up, and the page that says which mail to look for.

import Foundation
import Hummingbird
import OutboxClient

extension Portal {
    func showSignUp(_ request: Request, _ visit: Visit) async throws -> Response {
        page(signUpForm(visit), visit)
    }

    func signUp(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        if let problem = problem(with: form["password"], of: form.address, visit.language) {
            return refused(visit, form.address, problem)
        }
        let hash = try await passwords.hash(form["password"])
        let request = try await accounts.signUp(address: form.address, password: hash, visit.asking)
        switch request {
        case .taken: return .redirect(to: "/sign-up/mail")
        case .tooMany: return page(tooMany(visit), visit, status: .tooManyRequests)
        case .refused:
            let problem = visit.language(
                "This address can’t be mailed. Check it, and type it instead of copying it.",
                "このメールアドレスには送信できません。コピーせずに、直接入力してご確認ください。"
            )
            return refused(visit, form.address, problem)
        }
    }

    private func refused(_ visit: Visit, _ address: String, _ problem: HTML) -> Response {
        page(signUpForm(visit, address: address, problem: problem), visit, status: .unprocessableContent)
    }

    /// Which mail to look for, and how it fares: only for the browser that asked.
    func showVerificationMail(_ request: Request, _ visit: Visit) async throws -> Response {
        let (requests, status) = try await accounts.requests(of: visit.browser, kind: .verifyEmail)
        guard let newest = requests.first, let status else { return .redirect(to: "/sign-up") }
        let say = visit.language
        let isDone = status.advice == [.done]
        let content: HTML = """
            \(isDone ? HTML("") : lookFor(newest.address, subject: say("Verify your email address", "メールアドレスの確認"), say))
            \(advice(status, newest, say))
            <p><a href="\(visit.path)">\(say("Check again", "状況を再確認する"))</a></p>
            <p class="links">\(say(
                "<strong>Verify email</strong> in the mail opens the <a href=\"/sign-in\">Sign In page</a>. There you can also ask for the mail once more.",
                "メールの「メールアドレスの確認」を押すと、<a href=\"/sign-in\">サインインページ</a>が開きます。サインイン後にメールの再送もできます。"
            ))</p>
            """
        return page(
            Page(title: say("Check your email", "メールをご確認ください"), content: content, refreshSeconds: isDone ? nil : 10),
            visit
        )
    }

    private func signUpForm(_ visit: Visit, address: String = "", problem: HTML? = nil) -> Page {
        let say = visit.language
        return Page(
            title: say("Sign Up", "新規登録"),
            content: """
                \(problem.map { Layout.banner($0, kind: .problem) } ?? "")
                <form method="post" action="/sign-up">\(Layout.token(visit))
                \(Layout.addressField(say, value: address))
                \(Layout.newPasswordField(say))
                <button>\(say("Sign Up", "登録する"))</button></form>
                <p class="links"><a href="/sign-in">\(say("I have an account", "アカウントをお持ちの方"))</a></p>
                """
        )
    }

    /// From whom, with which subject, to which address, and that Junk is a place to look.
    func lookFor(_ address: String, subject: HTML, _ say: Language) -> HTML {
        """
        <p>\(say("Look for this email in your inbox, and also in the Junk folder:", "受信トレイと迷惑メールフォルダで、次のメールをお探しください。"))</p>
        <dl><dt>\(say("Subject", "件名"))</dt><dd>\(subject)</dd>
        <dt>\(say("From", "差出人"))</dt><dd>\(sender)</dd>
        <dt>\(say("To", "宛先"))</dt><dd>\(address)</dd></dl>
        """
    }

    /// The advice of outboxd in words, with its clock.
    private func advice(_ status: MailStatus, _ newest: MailRequest, _ say: Language) -> HTML {
        let sentences = status.advice.map { code -> HTML in
            switch code {
            case .done:
                say("Your address is verified. You can sign in.", "メールアドレスの確認が完了しました。サインインできます。")
            case .wait:
                wait(until: status.adviceAt, say)
            case .deliveryDelayed:
                say(
                    "Our mail is delayed at the moment. It will come; please do not request it again.",
                    "現在、メールの配信が遅れています。後ほど届きますので、再度のお申し込みはせずにお待ちください。"
                )
            case .checkJunk: say("Look in the Junk folder, too.", "迷惑メールフォルダもご確認ください。")
            case .resend:
                say(
                    "If the mail is not there, <a href=\"/sign-in\">sign in</a> and press Resend verification email one more time.",
                    "メールが見つからない場合は、<a href=\"/sign-in\">サインイン</a>して「確認メールを再送する」をもう一度だけ押してください。"
                )
            case .requestNew:
                say(
                    "The link’s time has run out; <a href=\"/sign-in\">sign in</a> and request a new mail.",
                    "リンクの有効期限が切れています。<a href=\"/sign-in\">サインイン</a>して新しいメールをお申し込みください。"
                )
            case .fixAddress:
                say(
                    "The address \(newest.address) takes no mail. Check it and <a href=\"/sign-up\">sign up again</a>.",
                    "\(newest.address) ではメールを受信できません。アドレスをご確認のうえ、<a href=\"/sign-up\">もう一度登録</a>してください。"
                )
            case .contactSupport:
                say(
                    "Follow the steps under <a href=\"/help\">Didn’t receive an email?</a>",
                    "<a href=\"/help\">メールが届かない場合</a>の手順に従ってください。"
                )
            }
        }
        let text: HTML = "\(sentences.map { HTML("<span class=\"advice\">\($0)</span> ") })"
        return Layout.banner(text, kind: status.advice == [.done] ? .done : .note)
    }

    func wait(until end: Date?, _ say: Language) -> HTML {
        guard let end else {
            return say("The mail is on its way; please wait.", "メールを送信しています。しばらくお待ちください。")
        }
        let left = say.span(end.timeIntervalSinceNow)
        let time = say.time(end)
        return say(
            "The mail is on its way; please wait <span class=\"clock\">\(left)</span>, until \(time).",
            "メールを送信しています。あと<span class=\"clock\">\(left)</span>ほど（\(time)まで）お待ちください。"
        )
    }

    /// Why a password can't be taken; `nil` if it can.
    func problem(with password: String, of address: String, _ say: Language) -> HTML? {
        guard Passwords.lengths.contains(password.count) else {
            return say(
                "The password must have \(Passwords.lengths.lowerBound) to \(Passwords.lengths.upperBound) characters.",
                "パスワードは\(Passwords.lengths.lowerBound)～\(Passwords.lengths.upperBound)文字で入力してください。"
            )
        }
        guard password.lowercased() != address.lowercased() else {
            return say("The password must not be the address.", "メールアドレスと同じパスワードは使用できません。")
        }
        return nil
    }

    func tooMany(_ visit: Visit) -> Page {
        let say = visit.language
        return Page(
            title: say("Please wait", "しばらくお待ちください"),
            content: """
                <p>\(say(
                    "That was asked for too often. Please try again in an hour.",
                    "リクエストの回数が上限を超えました。1時間ほど経ってからもう一度お試しください。"
                ))</p>
                """
        )
    }

    func staleForm(_ visit: Visit) -> Page {
        let say = visit.language
        return Page(
            title: say("Please try again", "もう一度お試しください"),
            content: """
                <p>\(say(
                    "This form was too old, or this browser takes no cookies. Nothing was changed.",
                    "フォームの有効期限が切れているか、ブラウザーでCookieが無効になっています。変更は行われていません。"
                ))</p><p><a href="/">\(say("Start again", "はじめに戻る"))</a></p>
                """
        )
    }
}
