// What the check finds in a mail, and what it does not.

import Testing

@testable import MailLint

@Suite("A mail is checked") struct MailLintTests {
    /// A page without any finding, but for its content.
    private static func page(_ content: String, style: String = "", html: String = "<html lang=\"en\">") -> String {
        """
        <!DOCTYPE html>
        \(html)<head><title>x</title><style>\(style)</style></head>
        <body><table><tr><td lang="en">\(content)</td></tr></table></body></html>
        """
    }

    private static func findings(
        _ content: String,
        style: String = "",
        text: String = "",
        octets: Int = 1000
    ) -> [LintFinding] {
        MailLint(page: page(content, style: style), text: text, octets: octets, locale: "en").findings()
    }

    private static func messages(_ content: String, style: String = "") -> [String] {
        findings(content, style: style).map { "\($0.severity.rawValue): \($0.message)" }
    }

    @Test(
        "what a program drops is found, with its remedy",
        arguments: [
            (
                "<p style=\"padding: 8px\">t</p>",
                "padding: 8px on <p> does nothing in Outlook for Windows: put it on a td"
            ),
            ("<p style=\"padding-left: 8px\">t</p>", "padding-left: 8px on <p> does nothing in Outlook for Windows"),
            (
                "<div style=\"max-width: 560px\">t</div>",
                "max-width: 560px on <div> does nothing in Outlook for Windows"
            ),
            ("<p style=\"overflow-wrap: anywhere\">t</p>", "add word-wrap: break-word"),
            ("<p style=\"word-break: break-all\">t</p>", "in Yahoo and AOL and Gmail with another provider's account"),
            ("<div style=\"display: flex\">t</div>", "display: flex on <div> does nothing in Outlook for Windows"),
            ("<div style=\"display: inline-grid\">t</div>", "use a table"),
            ("<div style=\"position: absolute\">t</div>", "position: absolute on <div> does nothing in"),
            ("<p style=\"margin: 0 -8px\">t</p>", "make the other distance smaller"),
            ("<table style=\"margin: 0 auto\"><tr><td>t</td></tr></table>", "add align=\"center\""),
            ("<td style=\"background: url(https://x/y.png)\">t</td>", "add a background-color"),
            ("<td style=\"background-image: linear-gradient(red, blue)\">t</td>", "Outlook.com and Yahoo and AOL"),
            ("<p style=\"color: var(--x, #000)\">t</p>", "write the value itself"),
            ("<link rel=\"stylesheet\" href=\"https://x/y.css\">", "<link> does nothing in Outlook.com"),
            ("<form action=\"https://x/\">t</form>", "link to a page with the form"),
            ("<video src=\"https://x/y\"></video>", "link to a page with the video"),
            ("<svg></svg>", "use an img with a PNG"),
            ("<script>alert(1)</script>", "mail programs remove it"),
            ("<img src=\"https://x/y.png\" height=\"32\">", "<img> without alt"),
            ("<img src=\"https://x/y.png\" alt=\"y\">", "<img> without width and height"),
            ("<a href=\"/verify\">t</a>", "<a> leads to '/verify'"),
            ("<span style=\"font-size: 0\">t</span>", "text of size zero"),
            ("<p style=\"color: #999\">t</p>", "text of #999999 on #ffffff has a contrast of 2.84:1"),
            ("<p bgcolor=\"#000000\">t</p>", "text of #000000 on #000000 has a contrast of 1.0:1"),
            ("<p style=\"color: #999 ! IMPORTANT\">t</p>", "text of #999999 on #ffffff"),
            ("<p style=\"display: none\">pre<p style=\"color: lightgray\">t", "text of #d3d3d3 on #ffffff"),
            ("<p style=\"font-family: &quot;Segoe UI&quot;; padding: 8px\">t</p>", "padding: 8px on <p>"),
            ("<p style='/* a; b:c */ padding:4px'>t</p>", "padding: 4px on <p>"),
            (
                "<table width=\"100%\" style=\"max-width: 600px\"><tr><td>t</td></tr></table>",
                "max-width: 600px on <table>"
            ),
            ("<!--[if IE]><table><![endif]--><div style=\"max-width: 9px\">t</div>", "max-width: 9px on <div>"),
            ("<div style=\"position: relative\">t</div>", "Outlook.com, Gmail and Gmail with"),
            ("<table style=\"font-size: 0px\"><tr><td>t</td></tr></table>", "font-size: 0px on <table>: mail systems"),
            ("<p style=\"font-size: 0\"><b style=\"font-size: 120%\">t</b></p>", "text of size zero"),
            ("<p style=\"visibility: hidden\"><b style=\"visibility: visible; color: #999\">t</b></p>", "2.84:1"),
            ("<p style=\"color: #999\">&nbsp;&lt;</p>", "2.84:1"),
            ("<p style=\"margin: 0 -0.5em\">t</p>", "make the other distance smaller"),
            ("<p style=\"margin-left: auto\">t</p>", "add align=\"center\""),
            ("<img src=\"https://x/y.png\" alt=\"y\" style=\"width: 100px\">", "<img> without width and height"),
            ("<img src=\"https://x/y.png\" alt=\"y\" style=\"height: auto\">", "<img> without width and height"),
            ("<a href=\"//u:secret@h.example/x?token=secret\">t</a>", "<a> leads to '//h.example/x'"),
        ]
    )
    func found(content: String, words: String) throws {
        let messages = Self.messages(content)
        #expect(messages.count == 1, "\(messages)")
        #expect(
            messages.first?.hasPrefix("warning: ") == true && messages.first?.contains(words) == true,
            "\(messages)"
        )
    }

    @Test(
        "what is replaced, harmless or not shown is not found",
        arguments: [
            "<table><tr><td style=\"padding: 8px\">t</td></tr></table>",
            "<p style=\"padding: 0\">t</p>",
            "<!--[if mso]><table width=\"560\"><tr><td><![endif]--><div style=\"max-width: 560px\">t</div>",
            "<img src=\"https://x/y.png\" alt=\"\" height=\"32\" style=\"max-width: 100%\">",
            "<td style=\"word-wrap: break-word\"><p style=\"overflow-wrap: anywhere; word-break: break-all\">t</p></td>",
            "<table align=\"center\" style=\"margin: 0 auto\"><tr><td>t</td></tr></table>",
            "<td bgcolor=\"#ffffff\" style=\"background-image: url(https://x/y.png)\">t</td>",
            "<a href=\"mailto:help@example.com\">t</a>",
            "<div style=\"display: none; color: #fff\">t</div>",
            "<p style=\"color: #fff; background: #000\">t</p>",
            "<p style=\"color: inherit; background-color: transparent\">t</p>",
            "<p style=\"color: some-name\">t</p>",
            "t<br>t</p></div>",
            "<p style=\"padding: 0px 0em; max-width: none; word-break: normal; box-shadow: none; margin: calc(8px - 2px)\">t</p>",
            "<!--[if (gte mso 9)|(IE)]><table width=\"600\"><tr><td><![endif]--><div style=\"max-width: 600px\">t</div>",
            "<table bgcolor=\"#000000\"><tr><td><font color=\"#ffffff\">t</font></td></tr></table>",
            "<p style=\"color: rgb(255,255,255,0.9)\">t</p>", "<p style=\"color: rgb(0 0 0 / 5%)\">t</p>",
            "<a href=\"myapp://open\">t</a><a href=\" mailto:a@x.example\">t</a>",
            "<p lang=\"en-US\">t</p>",
            "<table><tr><td style=\"font-size: 0px\"><p style=\"font-size: 16px\">t</p></td></tr></table>",
            "<td style=\"font-size: 0\">&nbsp;</td><td style=\"font-size: 0\"><b style=\"font-size: 1rem\">t</b></td>",
            "<div style=\"visibility: hidden; color: #fff\">t<b>t</b></div>",
            "<div style=\"mso-hide: all; max-height: 0; overflow: hidden; color: #fff\">t</div>",
            "<div style=\"opacity: 0; color: #fff\">t</div>",
            "<p style=\"color: #fff\">&nbsp;&zwnj;&#8199;&#x34F;\u{200C} \u{A0}</p>",
            "<p style=\"margin: -0px; margin-top: -0.0em\">t</p>",
            "<p style=\"margin-top: auto; margin-bottom: auto\">t</p>",
            "<img src=\"https://x/y.png\" alt=\"y\" style=\"width: 100px; height: 50px\">",
        ]
    )
    func notFound(content: String) {
        #expect(Self.messages(content) == [])
    }

    @Test(
        "a decoration that a program leaves out is a note",
        arguments: [
            ("<p style=\"border-radius: 8px\">t</p>", ""), ("<p style=\"box-shadow: 0 1px 2px #000\">t</p>", ""),
            ("<p style=\"border-top-left-radius: 8px\">t</p>", ""),
            ("<p>t</p>", "@supports (a: b) { @font-face { font-family: x } }"),
            ("<p style=\"text-wrap: balance\">t</p>", ""), ("<p>t</p>", "@font-face { font-family: x }"),
            ("<p>t</p>", "@media (prefers-color-scheme: dark) { .x { color: #fff } }"),
        ]
    )
    func notes(content: String, style: String) {
        let findings = Self.findings(content, style: style)
        #expect(findings.map(\.severity) == [.note], "\(findings)")
        #expect(findings.first?.source?.hasPrefix("https://www.caniemail.com/features/") == true)
    }

    @Test("a rule of the style sheet counts like a style attribute, and its line is that of the element")
    func styleSheet() {
        let findings = Self.findings(
            "\n<p class=\"wide x\">t</p>",
            style: "td .wide { padding: 8px } .wide:hover { display: flex }"
        )
        #expect(findings.map(\.line) == [4])
        #expect(findings.first?.message.hasPrefix("padding: 8px on <p>") == true)
        #expect(Self.messages("<p class=\"x\">t</p>", style: "div .x, .x.y { padding: 8px }") == [])
        for before in [
            "} ", "@keyframes k { from { color: red } to { color: blue } } ", "<!-- ", "p { content: \"}\" } ",
            "p { content: \"\\\"\" } ", "p { content: '\\'' } ", "p { content: \"\\\\\" } ",
        ] {
            #expect(
                Self.messages("<p class=\"x\">t</p>", style: before + ".x { padding: 8px }").count == 1,
                "\(before)"
            )
        }
        // A selector with a class counts more than one without, wherever it stands.
        let strong = ".b a { color: #ffffff; background: #000000 } a { color: #123456 }"
        #expect(
            Self.messages("<p class=\"b\"><a href=\"https://x.example/\">t</a></p>", style: strong).allSatisfy {
                !$0.contains("contrast")
            }
        )
        #expect(Self.messages("<p>t</p>", style: "@import 'x.css';").map { $0.contains("@import") } == [true])
    }

    @Test(
        "text is measured in dark colours, too",
        arguments: [
            "(prefers-color-scheme: dark)", "(prefers-color-scheme:dark)", "screen and ( PREFERS-COLOR-SCHEME : dark )",
        ]
    )
    func dark(query: String) {
        let style = "@media \(query) { .card { background-color: #1a1e24 !important } }"
        let findings = Self.findings("<p class=\"card\" style=\"color: #3a4553\">t</p>", style: style)
        let warnings = findings.filter { $0.severity == .warning }
        #expect(
            warnings.map(\.message) == [
                "text of #3a4553 on #1a1e24 in dark colours has a contrast of 1.71:1; make it at least 4.5:1"
            ]
        )
    }

    @Test("dark rules within another group of rules count, and those for all but dark colours do not")
    func nestedDark() {
        let dark = "@media (prefers-color-scheme: dark) { .card { color: #fff } }"
        for style in [
            "@supports (display: block) { \(dark) }", "@media screen and (min-width: 1px) { \(dark) }",
            "@media print, screen and (prefers-color-scheme: dark) { .card { color: #fff } }",
        ] {
            let messages = Self.messages("<p class=\"card\">t</p>", style: style).filter { $0.contains("contrast") }
            #expect(messages.count == 1 && messages[0].contains("in dark colours"), "\(style) \(messages)")
        }
        for query in ["not all and (prefers-color-scheme:dark)", "(not (prefers-color-scheme: dark))"] {
            let style = "@media \(query) { .card { color: #fff } }"
            #expect(
                !Self.messages("<p class=\"card\">t</p>", style: style).contains { $0.contains("contrast") },
                "\(query)"
            )
        }
    }

    @Test("a link that only one part has is found, without its token")
    func links() {
        let page = "<a href=\"https://a.example/x?t=secret&amp;u=1\">t</a><a href=\"https://b.example/\">t</a>"
        let text = "Open https://a.example/x?t=secret&u=1.\n詳しくはhttps://c.example/help?t=secretをご覧ください"
        #expect(
            Self.findings(page, text: text).map(\.message) == [
                "the link to https://b.example/ is in the HTML part alone: add it to the text part",
                "the link to https://c.example/help is in the text part alone: add it to the HTML part",
            ]
        )
    }

    @Test("a link is the same with its scheme and host in capitals, and is shown without a password, in one short line")
    func linkSpelling() {
        let page = "<a href=\"HTTPS://A.Example/X\">t</a><a href=\"https://b.example\">t</a>"
        #expect(Self.findings(page, text: "https://a.example/X HttpS://B.example/") == [])
        #expect(Self.findings(page, text: "https://a.example/x https://b.example").count == 2)
        let path = String(repeating: "e\u{301}", count: 9000)
        let odd = Self.findings("<a href=\"https://u:secret@c.example/\u{1B}[31m\nerror: \(path)?y\">t</a>")
        #expect(odd.count == 1)
        for finding in odd {
            #expect(finding.message.hasPrefix("the link to https://c.example/?[31m?error: "), "\(finding.message)")
            #expect(finding.message.utf8.count < 300)
        }
    }

    @Test(
        "a language fits its spellings with another script or region that say the same",
        arguments: [
            ("zh-CN", "zh-Hans", true), ("zh-Hans-CN", "zh-Hans", true), ("zh", "zh-Hans", true),
            ("zh-TW", "zh-Hant", true), ("zh-HK", "zh-Hant", true), ("zh-TW", "zh-Hans", false),
            ("zh-CN", "zh-Hant", false), ("zh", "zh-Hant", false), ("pt", "pt-BR", true), ("PT-br", "pt-BR", true),
            ("pt-PT", "pt-BR", false), ("en-GB", "en", true), ("es-419", "es", true), ("de", "en", false),
            ("", "en", false),
        ]
    )
    func languages(language: String, locale: String, isOurs: Bool) {
        let page = "<html lang=\"\(language)\"><body><p lang=\"\(language)\">t</p></body></html>"
        let findings = MailLint(page: page, text: "", octets: 1, locale: locale).findings()
        #expect(findings.count == (isOurs ? 0 : 2), "\(findings)")
    }

    @Test("a missing or wrong language is found on the page and within the body")
    func language() {
        func count(_ page: String, _ locale: String) -> Int {
            MailLint(page: page, text: "", octets: 1, locale: locale).findings().count
        }
        #expect(count(Self.page("t"), "en") == 0)
        #expect(count(Self.page("t"), "ja") == 2)
        #expect(count(Self.page("t", html: "<html>"), "en") == 1)
        #expect(count("<html lang=\"en\"><body lang=\"en\">t</body></html>", "en") == 1)
        #expect(count("<html lang=\"en-GB\"><p lang=\"en-GB\">t", "en") == 0)
    }

    @Test("a mail of more than 90,000 octets is found")
    func size() {
        #expect(Self.findings("t", octets: 90_000) == [])
        #expect(Self.findings("t", octets: 90_001).map(\.severity) == [.warning])
    }

    @Test(
        "a hostile page is read without a trap, and in a time that grows with its size",
        arguments: [
            ("<b>", 3000), ("</b>", 3000), ("<b></i>", 3000), ("<style>.a { b: c }</style><i class=a>", 500),
            ("<style>@media x{", 1), ("<!--", 3000), ("<![if (", 3000), ("http", 3000),
            ("<p style='a:(\"'", 1000),
        ]
    )
    func hostile(piece: String, count: Int) {
        let page = String(repeating: piece, count: count)
        _ = MailLint(page: page, text: page, octets: 1, locale: "en").findings()
        for view in ReducedView.allCases { _ = view.reduced(page) }
    }

    @Test("nested at-rules and many rules are read to a limit, without a trap")
    func limits() {
        let nested = "<style>" + String(repeating: "@media x{", count: 20_000)
        _ = MailLint(page: nested, text: "", octets: 1, locale: "en").findings()
        for view in ReducedView.allCases { _ = view.reduced(nested) }
        let rules = (0..<3000).map { ".a\($0) { color: #000 }" }.joined()
        #expect(Self.messages(String(repeating: "<p class=a1>t</p>", count: 100), style: rules) == [])
    }

    @Test(
        "many rules and declarations for many elements are looked at up to a limit, which is a finding",
        arguments: [
            (String(repeating: "b,", count: 900) + "b{padding-a:1}", "<b>\n", 20_000),
            (String(repeating: "b,", count: 30_000) + "b{}", "<b>", 20_000),
            ("b{" + String(repeating: "padding-a:1;", count: 10_000) + "}", "<b></b>\n", 10_000),
            (
                String(repeating: "b,", count: 900) + "b{" + String(repeating: "a:1;", count: 20_000) + "}", "<b>",
                20_000
            ),
            (String(repeating: ".a b{a:1}", count: 900), "<i><b>", 10_000),
        ]
    )
    func work(style: String, piece: String, count: Int) {
        let begin = ContinuousClock.now
        let page = Self.page(String(repeating: piece, count: count), style: style)
        let found = PageFindings(HTMLPart.all(of: page), locale: "en", budget: WorkBudget(400_000)).all.map(\.message)
        #expect(found.contains { $0.contains("the check ended in this line") }, "\(found.suffix(3))")
        #expect(found.count <= PageFindings.mostFindings + 3)
        #expect(ContinuousClock.now - begin < .seconds(60))
    }

    @Test("one element with very many declarations is looked at in a time that grows with their number")
    func declarations() {
        let begin = ContinuousClock.now
        let style = String(repeating: "word-break:a;", count: 18_000)
        #expect(Self.messages("<b style=\"\(style)\">t</b>").count == 1)
        #expect(ContinuousClock.now - begin < .seconds(60))
    }

    @Test("of very many findings the first ones are shown")
    func manyFindings() {
        let messages = Self.messages(String(repeating: "<p style=\"padding: 8px\">t</p>\n", count: 2000))
        #expect(messages.count == PageFindings.mostFindings + 1)
        #expect(messages.count { $0.contains("padding: 8px") } == PageFindings.mostFindings)
        #expect(messages.last == "warning: the mail has more warnings than 500: mend these first")
        // Decorations don't hide a fault behind them.
        let notes = String(repeating: "<p style=\"border-radius: 8px\">t</p>\n", count: 2000)
        let last = Self.findings(notes + "<p style=\"padding: 8px\">t</p>").filter { $0.severity == .warning }
        #expect(last.map(\.line) == [2003], "\(last)")
        let links = (0..<2000).map { "<a href=\"https://x.example/\($0)\">t</a>" }.joined()
        #expect(Self.findings(links).count == PageFindings.mostFindings + 1)
    }

    @Test("an ordinary page is checked to its end, and where the work ended is a finding")
    func budget() {
        let parts = HTMLPart.all(of: Self.page("<p style=\"color: #999\">t</p>"))
        #expect(PageFindings(parts, locale: "en").all.count == 1)
        let short = PageFindings(parts, locale: "en", budget: WorkBudget(5)).all
        #expect(short.map(\.message).contains { $0.contains("the check ended in this line") }, "\(short)")
    }

    @Test("elements beyond the depth that is followed don't end others")
    func deep() {
        let inner = String(repeating: "<div>", count: 300) + String(repeating: "</div>", count: 300)
        let page = "<div style=\"background: #000; color: #fff\">\(inner)<p style=\"color: #ccc\">t</p></div><p>t</p>"
        #expect(Self.messages(page) == [])
        let unclosed =
            "<div style=\"color: #fff; background: #000\">" + String(repeating: "<i>", count: 300) + "</div>t"
        #expect(Self.messages(unclosed) == [])
    }

    @Test("a value that two groups of programs drop differently is found for both")
    func twice() {
        let messages = Self.messages("<div style=\"display: inline-flex\">t</div>")
        #expect(
            messages.count == 2 && messages[1].contains("does nothing in Yahoo and AOL: use a table"),
            "\(messages)"
        )
    }

    @Test("of a page above 256 kB only the size is found")
    func tooLarge() {
        let page = Self.page("<p style=\"padding: 8px\">" + String(repeating: "t", count: 270_000) + "</p>")
        let findings = MailLint(page: page, text: "", octets: 280_000, locale: "en").findings()
        #expect(findings.count == 1 && findings[0].message.hasSuffix("nothing else of it was checked"))
    }

    @Test("a template's own text is shown in one line, without control characters, and short")
    func shownText() {
        let messages = Self.messages(
            "<a href=\"/a\nerror: fake\u{1B}[31m\">t</a><p style=\"color: var(\(String(repeating: "x", count: 9000)))\">t</p>"
                + "<x\u{1B}[31m\(String(repeating: "e\u{301}", count: 9000)) style=\"font-size: 0\">t</p>"
        )
        #expect(messages.count == 3)
        for message in messages {
            #expect(message.count < 250 && !message.contains("\n") && !message.contains("\u{1B}"), "\(message)")
        }
    }

    @Test("each fact has a page and the day of its test")
    func facts() throws {
        for fact in ClientFact.all {
            #expect(
                fact.tested.wholeMatch(of: /20\d\d-\d\d-\d\d/) != nil && fact.page.hasPrefix("css-")
                    || fact.page.hasPrefix("html-")
            )
            #expect(!fact.programs.isEmpty && !fact.remedy.isEmpty)
        }
    }
}
