// The shipped templates have no warning, with every setting and with none.

import Foundation
import MailComposer
import OutboxCore
import Testing

@testable import MailLint

@Suite("The shipped templates are checked") struct ShippedTemplateLintTests {
    private static let templates = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "config/templates").path

    private static func composer(hasOptions: Bool) throws -> MailComposer {
        var options = MailOptions()
        if hasOptions {
            options.company = "Example Incorporated, 1 Example Street"
            options.help = try PageAddress("https://www.example.com/help?a=b&c=d")
            options.askAgain = [
                "verify-email": try PageAddress("https://www.example.com/again"),
                "reset-password": try PageAddress("https://www.example.com/b"),
            ]
            options.logo = try PageAddress("https://www.example.com/logo.png")
        }
        return try MailComposer(
            templates: templates,
            links: [
                "verify-email": LinkTemplate("https://www.example.com/verify-email?token={token}"),
                "reset-password": LinkTemplate("https://www.example.com/reset-password?token={token}"),
            ],
            sender: Sender(name: hasOptions ? "Example" : nil, address: "no-reply@example.com"),
            codes: hasOptions ? ["verify-email", "reset-password"] : [],
            options: options
        )
    }

    @Test("no mail has a warning", arguments: [true, false])
    func noWarnings(hasOptions: Bool) throws {
        let findings = try Self.composer(hasOptions: hasOptions).lint()
        #expect(findings.filter { $0.severity == .warning } == [])
        // The notes show that the pages were read.
        let corners = try #require(findings.first { $0.message.hasPrefix("border-radius: 12px") })
        #expect(corners.places.count == 30 && corners.shownPlaces.hasSuffix(", and 29 more mails"))
    }

    @Test("a check that is no longer wanted ends before the next mail, and finds nothing")
    func unwanted() throws {
        var mails = 0
        let findings = try Self.composer(hasOptions: true).lint {
            mails += 1
            return mails < 3
        }
        #expect(mails == 3 && findings == [])
    }

    @Test("the check of a mail takes a small part of the work that is permitted")
    func work() throws {
        let composer = try Self.composer(hasOptions: true)
        for kind in composer.kinds.sorted() {
            for locale in composer.locales(ofKind: kind).sorted() {
                let page = try composer.preview(kind: kind, locale: locale, part: .html)
                let left = PageFindings(HTMLPart.all(of: page), locale: locale).budget.left
                #expect(WorkBudget.perMail - left < WorkBudget.perMail / 25, "\(kind) \(locale)")
            }
        }
    }

    @Test("reduced for each program, each mail still has its title, its link and its words")
    func reduced() throws {
        let composer = try Self.composer(hasOptions: true)
        for kind in composer.kinds.sorted() {
            for locale in composer.locales(ofKind: kind).sorted() {
                let page = try composer.preview(kind: kind, locale: locale, part: .html)
                for view in ReducedView.allCases {
                    let reduced = view.reduced(page)
                    for part in HTMLPart.all(of: page) where part.content == .text {
                        #expect(reduced.contains(part.source), "\(view) \(locale)")
                    }
                    let link = "href=\"https://www.example.com/\(kind)?token="
                    #expect(reduced.contains(link) == page.contains(link), "\(view) \(locale)")
                }
            }
        }
    }
}
