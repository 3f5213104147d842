// The frame of every page, in the look of the mails, and the parts that pages share. Useful without JavaScript.

import Foundation

/// One page.
struct Page: Sendable {
    let title: HTML
    let content: HTML
    /// The page loads itself again after this time.
    var refreshSeconds: Int?
}

/// The frame around a page.
struct Layout: Sendable {
    /// The product's name: the sender's name of the mails.
    let product: String

    func render(_ page: Page, for visit: Visit) -> HTML {
        let say = visit.language
        let refresh: HTML = page.refreshSeconds.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">" } ?? ""
        let languages = Language.allCases.filter { $0 != say }.map { language -> HTML in
            "<a href=\"\(visit.path)?lang=\(language.rawValue)\" lang=\"\(language.rawValue)\" hreflang=\"\(language.rawValue)\">\(language.name)</a>"
        }
        let account: HTML =
            visit.user.map { user in
                let users: HTML = "<a href=\"/users\">\(say("Users", "ユーザー"))</a>"
                return """
                    <nav><a href="/">\(say("Account", "アカウント"))</a>\(user.isAdministrator ? users : "")
                    <form method="post" action="/sign-out">\(Self.token(visit))<button class="plain">\(say("Sign Out", "サインアウト"))</button></form></nav>
                    """
            } ?? ""
        return """
            <!DOCTYPE html>
            <html lang="\(say.rawValue)">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            \(refresh)
            <title>\(page.title) – \(product)</title>
            <link rel="stylesheet" href="/style.css">
            </head>
            <body>
            <header><p class="product">\(product)</p>\(account)</header>
            <main class="card">
            <h1>\(page.title)</h1>
            \(page.content)
            </main>
            <footer><p>\(languages) · <a href="/help">\(say("Didn’t receive an email?", "メールが届かない場合"))</a></p></footer>
            </body>
            </html>
            """
    }

    /// The hidden field that shows that a form is the portal's own.
    static func token(_ visit: Visit) -> HTML {
        "<input type=\"hidden\" name=\"form_token\" value=\"\(visit.formToken)\">"
    }

    /// A message above a page's content.
    static func banner(_ text: HTML, kind: Kind = .note) -> HTML {
        "<p class=\"banner \(kind.rawValue)\" role=\"\(kind == .problem ? HTML("alert") : HTML("status"))\">\(text)</p>"
    }

    /// What a banner says.
    enum Kind: String, Sendable { case note, problem, done }

    static func addressField(_ say: Language, value: String = "") -> HTML {
        """
        <label for="address">\(say("Email", "メールアドレス"))</label>
        <input id="address" name="address" type="email" autocomplete="username" inputmode="email" required maxlength="254" value="\(value)">
        """
    }

    static func codeField(_ say: Language) -> HTML {
        """
        <label for="code">\(say("Code from the email (8 digits)", "メールに記載のコード（8桁）"))</label>
        <input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" required maxlength="24">
        """
    }

    static func newPasswordField(_ say: Language) -> HTML {
        """
        <label for="password">\(say("New password", "新しいパスワード"))</label>
        <input id="password" name="password" type="password" autocomplete="new-password" required minlength="\(Passwords.lengths.lowerBound)" maxlength="\(Passwords.lengths.upperBound)" aria-describedby="password-rule">
        <p class="hint" id="password-rule">\(say(
            "At least \(Passwords.lengths.lowerBound) characters.",
            "\(Passwords.lengths.lowerBound)文字以上で入力してください。"
        ))</p>
        """
    }

    static let style = """
        :root { color-scheme: light dark; --background: #f3f5f8; --card: #fff; --rule: #dfe4ea; --strong: #1b2430;
          --body: #3a4553; --muted: #566270; --accent: #0b57d0; --on-accent: #fff; --problem: #b3261e; --done: #146c2e; }
        @media (prefers-color-scheme: dark) { :root { --background: #101317; --card: #1a1e24; --rule: #2b323b;
          --strong: #f1f4f8; --body: #d5dbe3; --muted: #a2adba; --accent: #a9c8ff; --on-accent: #08224d;
          --problem: #ffb4ab; --done: #8fd9a0; } }
        * { box-sizing: border-box; }
        body { margin: 0; padding: 48px 16px; background: var(--background); color: var(--body);
          font: 16px/1.6 -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
        :lang(ja) body, body:lang(ja) { font-family: -apple-system, BlinkMacSystemFont, "Hiragino Sans", "Noto Sans JP",
          "Noto Sans CJK JP", "Yu Gothic UI", Meiryo, sans-serif; line-height: 1.75; word-break: auto-phrase; }
        header, main, footer { max-width: 560px; margin: 0 auto; }
        header, footer { padding: 0 41px; display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; }
        header nav { margin-left: auto; display: flex; gap: 16px; align-items: baseline; font-size: 14px; }
        .product { margin: 0 0 16px; font-size: 15px; font-weight: 600; color: var(--strong); }
        .card { padding: 40px; background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
          overflow-wrap: anywhere; }
        main.wide { max-width: 760px; }
        h1 { margin: 0 0 12px; font-size: 24px; line-height: 32px; font-weight: 600; color: var(--strong); text-wrap: balance; }
        h2 { margin: 32px 0 8px; font-size: 17px; font-weight: 600; color: var(--strong); }
        p { margin: 0 0 16px; text-wrap: pretty; }
        a { color: var(--accent); }
        footer, footer a, .hint, .muted { font-size: 14px; color: var(--muted); }
        footer p { margin: 16px 0 0; }
        label { display: block; margin: 16px 0 6px; font-weight: 600; color: var(--strong); }
        input:not([type=hidden]) { width: 100%; padding: 11px 13px; font: inherit; color: var(--strong); background: var(--card);
          border: 1px solid var(--muted); border-radius: 8px; }
        input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
        button { margin-top: 20px; padding: 12px 26px; font: inherit; font-weight: 600; color: var(--on-accent);
          background: var(--accent); border: 0; border-radius: 8px; cursor: pointer; }
        button.plain { margin: 0; padding: 0; color: var(--accent); background: none; font-weight: 400; text-decoration: underline; }
        button.small { margin: 4px 4px 4px 0; padding: 6px 14px; font-size: 14px; }
        form + p:not(.links) { margin-top: 20px; }
        .hint { margin: 6px 0 0; }
        .banner { margin: 0 0 20px; padding: 12px 16px; border-radius: 8px; border: 1px solid var(--rule);
          border-left: 4px solid var(--accent); color: var(--strong); }
        .banner.problem { border-left-color: var(--problem); }
        .banner.done { border-left-color: var(--done); }
        .clock { font-weight: 600; color: var(--strong); } .clock, .time { white-space: nowrap; }
        .users, .audit { padding: 0; list-style: none; } .users li { padding: 8px 0; border-bottom: 1px solid var(--rule); }
        .users form { display: inline; }
        .links { margin: 24px 0 0; padding: 20px 0 0; border-top: 1px solid var(--rule); font-size: 14px; }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0 0 20px; }
        dt { color: var(--muted); } dd { margin: 0; color: var(--strong); }
        ol, ul { padding-left: 22px; } li { margin: 0 0 8px; }
        table { width: 100%; border-collapse: collapse; font-size: 14px; } td, th { padding: 8px 8px 8px 0; text-align: left;
          vertical-align: top; border-bottom: 1px solid var(--rule); }
        @media (max-width: 480px) { body { padding: 24px 12px; } .card { padding: 28px 22px 26px; }
          header, footer { padding: 0 23px; } dl { grid-template-columns: 1fr; } dd { margin: 0 0 8px; } button { width: 100%; }
          button.plain, button.small { width: auto; } }
        """
}
