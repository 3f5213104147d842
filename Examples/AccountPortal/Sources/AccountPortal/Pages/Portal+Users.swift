// The users' page for those with Full Access, and the page of the mail administrator.

import Foundation
import Hummingbird

extension Portal {
    func showUsers(_ request: Request, _ visit: Visit) async throws -> Response {
        guard let user = visit.user else { return .redirect(to: "/sign-in") }
        guard user.isAdministrator else { return page(forbidden(visit), visit, status: .forbidden) }
        return page(try await usersPage(visit), visit)
    }

    func invite(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        guard let user = visit.user else { return .redirect(to: "/sign-in") }
        return try await answer(accounts.invite(form.address, by: user, visit.asking), visit)
    }

    func setAccess(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        guard let user = visit.user else { return .redirect(to: "/sign-in") }
        let gives = form["give"] == "1"
        return try await answer(accounts.setFullAccess(gives, of: form["account"], by: user), visit)
    }

    func removeUser(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        guard let user = visit.user else { return .redirect(to: "/sign-in") }
        return try await answer(accounts.remove(form["account"], by: user), visit)
    }

    func showMailTrace(_ request: Request, _ visit: Visit) async throws -> Response { page(traceForm(visit), visit) }

    func traceMail(_ request: Request, _ visit: Visit, _ form: Form) async throws -> Response {
        let traces = try await accounts.trace(form["id"], to: form.address, network: visit.network)
        guard let traces else { return page(tooMany(visit), visit, status: .tooManyRequests) }
        return page(traceForm(visit, address: form.address, id: form["id"], traces: traces), visit)
    }

    private func answer(_ change: Accounts.UserChange, _ visit: Visit) async throws -> Response {
        let say = visit.language
        let problem: HTML
        switch change {
        case .done: return .redirect(to: "/users")
        case .forbidden: return page(forbidden(visit), visit, status: .forbidden)
        case .tooMany: return page(tooMany(visit), visit, status: .tooManyRequests)
        case .noSuchUser: problem = say("This user was removed.", "このユーザーは削除されています。")
        case .isUser: problem = say("This address belongs to a user already.", "このアドレスのユーザーはすでに存在します。")
        case .refused: problem = say("This address can’t be mailed.", "このメールアドレスには送信できません。")
        case .isLastOne:
            problem = say(
                "This is the last user with Full Access. Give Full Access to another verified user first.",
                "フルアクセス権を持つ最後のユーザーです。先に、確認済みの別のユーザーにフルアクセス権を付与してください。"
            )
        }
        return page(try await usersPage(visit, problem: problem), visit, status: .unprocessableContent)
    }

    private func usersPage(_ visit: Visit, problem: HTML? = nil) async throws -> Page {
        let say = visit.language
        let (users, audit) = try await accounts.users()
        return Page(
            title: say("Users", "ユーザー"),
            content: """
                \(problem.map { Layout.banner($0, kind: .problem) } ?? "")
                <ul class="users">\(users.map { row($0, visit) })</ul>
                <h2>\(say("Invite a user", "ユーザーを招待"))</h2>
                <form method="post" action="/users/invite">\(Layout.token(visit))
                \(Layout.addressField(say))<button>\(say("Send Invitation", "招待メールを送信する"))</button></form>
                <h2>\(say("What was done", "操作の記録"))</h2>
                <ul class="audit">\(audit.map { entry -> HTML in
                    "<li class=\"muted\">\(entry.at.formatted(.iso8601)) \(entry.actor): \(action(entry, say)) \(entry.subject)</li>"
                })</ul>
                """
        )
    }

    private func row(_ user: User, _ visit: Visit) -> HTML {
        let say = visit.language
        let state: HTML =
            user.isVerified
            ? (user.hasFullAccess ? say("Full Access", "フルアクセス") : say("User", "ユーザー"))
            : say("not verified yet", "未確認")
        let hidden: HTML = "\(Layout.token(visit))<input type=\"hidden\" name=\"account\" value=\"\(user.account)\">"
        let access: HTML =
            user.hasFullAccess
            ? "<button class=\"small\">\(say("Take Full Access", "フルアクセスを解除"))</button>"
            : "<input type=\"hidden\" name=\"give\" value=\"1\"><button class=\"small\">\(say("Give Full Access", "フルアクセスを付与"))</button>"
        return """
            <li><strong>\(user.address)</strong> <span class="muted">\(state)</span><br>
            <form method="post" action="/users/access">\(hidden)\(access)</form>
            <form method="post" action="/users/remove">\(hidden)<button class="small">\(say("Remove", "削除"))</button></form></li>
            """
    }

    private func action(_ entry: AuditEntry, _ say: Language) -> HTML {
        switch entry.action {
        case "verified": say("verified the address", "メールアドレスを確認")
        case "password changed": say("changed the password", "パスワードを変更")
        case "invited": say("invited", "招待：")
        case "gave Full Access": say("gave Full Access to", "フルアクセスを付与：")
        case "took Full Access": say("took Full Access from", "フルアクセスを解除：")
        case "removed": say("removed", "削除：")
        default: "\(entry.action)"
        }
    }

    private func forbidden(_ visit: Visit) -> Page {
        let say = visit.language
        return Page(
            title: say("Full Access is needed", "フルアクセス権が必要です"),
            content: "<p>\(say("Ask a user with Full Access.", "フルアクセス権を持つユーザーに依頼してください。"))</p>"
        )
    }

    private func traceForm(_ visit: Visit, address: String = "", id: String = "", traces: [MailTrace]? = nil) -> Page {
        let say = visit.language
        let found: HTML =
            traces.map { traces in
                traces.isEmpty
                    ? Layout.banner(say("No such mail.", "該当するメールはありません。"), kind: .problem)
                    : "\(traces.map { self.trace($0, say) })"
            } ?? ""
        return Page(
            title: say("For mail administrators", "メール管理者の方へ"),
            content: """
                <p>\(say(
                    "Look up what our relay said about a mail to your user.",
                    "お客さまのユーザー宛てのメールについて、当社の中継サーバーの応答を確認できます。"
                ))</p>\(found)
                <form method="post" action="/mail-administrator">\(Layout.token(visit))
                \(Layout.addressField(say, value: address))
                <label for="id">\(say("Message-ID or queue id", "Message-IDまたはキューID"))</label>
                <input id="id" name="id" required maxlength="320" value="\(id)">
                <button>\(say("Look Up", "確認する"))</button></form>
                """
        )
    }

    private func trace(_ trace: MailTrace, _ say: Language) -> HTML {
        """
        <dl><dt>\(say("Mail", "メール"))</dt><dd>\(trace.kind)</dd>
        <dt>\(say("Time", "時刻"))</dt><dd>\(trace.startedAt.formatted(.iso8601))</dd>
        <dt>\(say("Relay", "中継サーバー"))</dt><dd>\(trace.relay)</dd>
        <dt>\(say("Outcome", "結果"))</dt><dd>\(trace.outcome)</dd>
        <dt>\(say("Reply", "応答"))</dt><dd>\(trace.reply)</dd>
        <dt>\(say("Queue id", "キューID"))</dt><dd>\(trace.queueID)</dd></dl>
        """
    }
}
