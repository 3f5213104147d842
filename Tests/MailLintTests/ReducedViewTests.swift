// What each program keeps of a page.

import Testing

@testable import MailLint

@Suite("A page as a mail program keeps it") struct ReducedViewTests {
    private static let page = """
        <html><head><!--[if mso]><xml><o:x/></xml><style>td { color: red }</style><![endif]-->
        <style>p { text-wrap: pretty; color: blue } @media (min-width: 9px) { p { color: red } }</style></head>
        <body><!--[if mso]><table><tr><td><![endif]--><p style="padding: 8px; color: red; overflow-wrap: anywhere">a &lt; b</p>
        <td style="padding: 8px; width: 10px; max-width: 9px; mso-line-height-alt: 24px">x</td><!-- seen by nobody --></body></html>
        """

    @Test("Word reads its conditional comments, and no media query, padding of a paragraph, or max-width")
    func outlook() {
        #expect(
            ReducedView.outlook.reduced(Self.page) == """
                <html><head><style>td { color: red }</style>
                <style>p { color: blue }</style><style>td { overflow-wrap: anywhere; }</style></head>
                <body><table><tr><td><p style="color: red">a &lt; b</p>
                <td style="padding: 8px; width: 10px; line-height: 24px">x</td></body></html>
                """
        )
    }

    @Test("Yahoo drops overflow-wrap in attributes and style elements")
    func yahoo() {
        let page = ReducedView.yahoo.reduced(Self.page)
        #expect(page.contains("<p style=\"padding: 8px; color: red\">"))
        #expect(page.contains("p { color: blue }\n@media (min-width: 9px) {\np { color: red }\n}"))
        #expect(page.contains("<!--[if mso]>"))
    }

    @Test("Gmail without <style> keeps style attributes, and a program without CSS keeps none")
    func withoutStyle() {
        let gmail = ReducedView.gmailNoStyle.reduced(Self.page)
        #expect(!gmail.contains("color: blue") && gmail.contains("<p style=\"padding: 8px; color: red\">"))
        let bare = ReducedView.noCSS.reduced("<style>a{}</style><p class=\"x\" style=\"a: b\">t</p>")
        #expect(bare == "<p class=\"x\">t</p>")
    }

    @Test("a page without anything to drop stays as it is")
    func unchanged() {
        let page = "<p title='a \"quoted\" word'>t</p><img alt=x src=\"https://x/y\">"
        #expect(ReducedView.yahoo.reduced(page) == page)
        let styled = "<p title='a \"quoted\" word' style=\"color: red\">t</p>"
        #expect(ReducedView.yahoo.reduced(styled) == styled)
    }

    @Test(
        "a style attribute keeps its quotes, and what a program keeps of it",
        arguments: [
            (
                "<td style='font-family: \"Segoe UI\", Arial; overflow-wrap: anywhere; color:#fff' ID=x>",
                "<td style='font-family: &quot;Segoe UI&quot;, Arial; color: #fff' ID=x>"
            ),
            (
                "<td style=\"font-family: 'Segoe UI'; overflow-wrap: anywhere\">",
                "<td style=\"font-family: 'Segoe UI'\">"
            ),
            (
                "<td style=\"font-family: &quot;A&quot;; text-wrap: pretty; padding: 4px\">",
                "<td style=\"font-family: &quot;A&quot;; padding: 4px\">"
            ),
            ("<path style=color:red;text-wrap:pretty />", "<path style=\"color: red\" />"),
        ]
    )
    func quotes(tag: String, expected: String) {
        #expect(ReducedView.yahoo.reduced(tag) == expected)
    }

    @Test("no CSS: only the style attribute goes")
    func onlyStyle() {
        #expect(ReducedView.noCSS.reduced("<td class='a' style='b: c' ID=x>") == "<td class='a' ID=x>")
    }

    @Test(
        "Word shows what a condition is for, and hides what it is not for",
        arguments: [
            ("<!--[if mso]>a<![endif]-->b", "ab"), ("<!--[if gte mso 9]>a<![endif]-->b", "ab"),
            ("<!--[if (gte mso 9)|(IE)]>a<![endif]-->b", "ab"), ("<!--[if lt mso 12]>a<![endif]-->b", "b"),
            ("<!--[if IE]>a<![endif]-->b", "b"), ("<!--[if !mso]><!-->a<!--<![endif]-->b", "b"),
            ("<![if !mso]>a<![endif]>b", "b"), ("<!--[if mso & !IE]>a<![endif]-->b", "ab"),
            ("<!--[if mso]><xml xmlns:o=x><o:y/></xml>a<![endif]-->b", "ab"), ("<!--[if ((((]>a<![endif]-->b", "b"),
        ]
    )
    func conditions(page: String, expected: String) {
        #expect(ReducedView.outlook.reduced(page) == expected)
    }

    @Test("Word takes a picture's width from its attribute, and knows the property height")
    func picture() {
        let page = ReducedView.outlook.reduced("<img style=\"width: 100px; height: 50px\"><td style=\"width: 9px\">")
        #expect(page == "<img style=\"height: 50px\"><td style=\"width: 9px\">")
    }

    @Test("much XML for Office is removed in a time that grows with its size")
    func xml() {
        let begin = ContinuousClock.now
        let xml = String(repeating: "<xml></xml>a", count: 20_000)
        #expect(ReducedView.outlook.reduced("<!--[if mso]>\(xml)<![endif]-->").utf8.count == 20_000)
        #expect(ContinuousClock.now - begin < .seconds(20))
    }

    @Test("keyframes, a stray brace and a brace in quotes end no style sheet")
    func oddSheets() {
        let sheet = "} @keyframes k { from { color: red } } p { content: \"}\"; text-wrap: pretty; color: red }"
        let page = ReducedView.yahoo.reduced("<style>\(sheet)</style><p>")
        #expect(
            page.hasSuffix("p { content: \"}\"; color: red }</style><p>") && page.contains("from { color: red }"),
            "\(page)"
        )
    }
}
