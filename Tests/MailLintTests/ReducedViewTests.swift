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
}
