// Reading HTML and CSS, on values.

import Testing

@testable import MailLint

@Suite("HTML and CSS are read") struct HTMLPartTests {
    @Test(
        "the parts together are the page, whatever it is",
        arguments: [
            "", "<", "<p", "a < b <= c", "<p title='a>b' hidden x = \"1\">t</p>", "<!-- <p> --><!DOCTYPE html><br/>",
            "<style>a > b { c: d }</style>", "<style>no end", "<!-- no end", "<p title=\"no end", "<a =x>", "</>",
            "<script>if (a < b) </p></script>", "<title>a <b> c</title>", "日本<b>語</b>",
        ]
    )
    func whole(page: String) {
        #expect(HTMLPart.all(of: page).map(\.source).joined() == page)
    }

    @Test("a tag has its attributes, with or without quotes, and its line")
    func attributes() throws {
        let parts = HTMLPart.all(of: "<p>\n<A HREF='x?a=b&amp;c' hidden title=\"a > b\" width=20>")
        guard case .tag(let tag) = try #require(parts.last).content else { throw NoTag() }
        #expect(tag.name == "a" && !tag.isEnd && parts.last?.line == 2)
        #expect(tag["href"] == "x?a=b&amp;c" && tag["hidden"] == "" && tag["title"] == "a > b" && tag["width"] == "20")
        #expect(tag["class"] == nil)
    }

    struct NoTag: Error {}

    @Test("a declaration may hold semicolons and colons within quotes and parentheses")
    func declarations() {
        let declarations = Declaration.all(of: "A: url(data:image/png;base64,x); b : 'c;d:e' !important;; f")
        #expect(declarations.map(\.property) == ["a", "b"])
        #expect(declarations[0].value == "url(data:image/png;base64,x)")
        #expect(declarations[1].plainValue == "'c;d:e'" && declarations[1].isImportant && !declarations[0].isImportant)
    }

    @Test("a style sheet has rules, groups of rules and statements, and its comments are gone")
    func styleSheet() {
        let sheet = StyleSheet(
            "@import url(x.css); /* p { a: b } */ h1, p { a: b; } @media (min-width: 1px) { p { c: d } q { e: f } } r { g: h"
        )
        #expect(
            sheet.rules == [
                .statement("@import url(x.css)"),
                .style(selectors: "h1, p", [Declaration(property: "a", value: "b")]),
                .group(
                    prelude: "@media (min-width: 1px)",
                    [
                        .style(selectors: "p", [Declaration(property: "c", value: "d")]),
                        .style(selectors: "q", [Declaration(property: "e", value: "f")]),
                    ]
                ),
                .style(selectors: "r", [Declaration(property: "g", value: "h")]),
            ]
        )
        #expect(StyleSheet(sheet.text) == sheet)
    }
}
