// The mails of the shipped templates, read back by another program.

import Foundation
import MailComposer
import MailTemplates
import OutboxCore
import TestSupport
import Testing

@Suite struct ShippedMailTests {
    static let subjects = [
        "verify-email": ["en": "Verify your email address", "ja": "メールアドレスの確認"],
        "reset-password": ["en": "Reset your password", "ja": "パスワードの再設定"],
    ]
    static let buttons = [
        "verify-email": ["en": "Verify email", "ja": "メールアドレスを確認する"],
        "reset-password": ["en": "Reset Password", "ja": "パスワードを再設定する"],
    ]

    @Test("every shipped mail is read back whole, without a defect, whatever its values")
    func readBack() throws {
        let composer = try Fixtures.shipped()
        let tokens = [
            "plain-Token_1.~", String(repeating: "x0-", count: 300), "a&b=c/d?e#f%20+g", "émoji🚀漢字", "\"<>'`{}|\\^",
        ]
        let recipients = [
            "jane@example.com", "j.o'hara+tag@example.com", "user@bücher.example", "利用者@例え.jp",
            String(repeating: "l", count: 64) + "@" + String(repeating: "long-label.", count: 15) + "example",
        ]
        var messages: [Message] = []
        for kind in ["verify-email", "reset-password"] {
            for locale in ["en", "ja"] {
                for lifetime in [nil, Duration.seconds(1800)] {
                    for token in tokens {
                        for recipient in recipients {
                            messages.append(
                                Fixtures.message(
                                    kind: kind,
                                    recipient: recipient,
                                    token: token,
                                    locale: locale,
                                    livesFor: lifetime
                                )
                            )
                        }
                    }
                }
            }
        }
        let mails = try messages.map { try composer.compose($0) }
        let read = try mails.map { try PythonReader.read($0) }
        for (message, (mail, found)) in zip(messages, zip(mails, read)) {
            let locale = try #require(message.locale)
            let subject = Self.subjects[message.kind]?[locale]
            #expect(mail.subject == subject)
            #expect(found.subject == subject)
            // Python reports bytes outside ASCII in a header as a defect, although RFC 6532 allows them.
            #expect(found.defects == [] || mail.needsSMTPUTF8)
            #expect(found.unbalancedTags == [])
            #expect(found.parts == ["multipart/alternative", "text/plain", "text/html"])
            #expect(found.charsets == ["utf-8", "utf-8"])
            #expect(found.messageId == mail.messageID)
            #expect(found.fromName == "Trend Cloud One")
            #expect(found.fromAddress == "no-reply@cloudone.example")
            #expect(found.date == "2026-11-23T14:00:00+00:00")
            if !mail.needsSMTPUTF8 { #expect(found.to == mail.recipient) }

            #expect(found.bareLineEnds == 0)
            #expect(found.longestLine <= 998)
            #expect(found.longestBodyLine <= 76)
            #expect(found.longestHeaderLine <= max(78, "To: ".utf8.count + mail.recipient.utf8.count))
            #expect(found.fromLines == 0)
            #expect(found.trailingSpaces == 0)

            let link = try #require(found.hrefs.first)
            #expect(Set(found.hrefs) == [link])
            let second = locale == "en" ? "open this link" : "リンクを開く"
            #expect(found.linkTexts == [Self.buttons[message.kind]?[locale], second])
            #expect(found.text.contains("\n\(link)\n"))
            #expect(
                found.htmlText.contains(" \(link) ")
                    && found.html.contains(">\(link.replacing("&", with: "&amp;"))</p>")
            )
            let encodedToken = try #require(
                link.split(separator: message.kind == "verify-email" ? "&token=" : "/reset/").last
            )
            #expect(encodedToken.wholeMatch(of: /(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+/) != nil)
            #expect(encodedToken.removingPercentEncoding == (message.token?.secret ?? ""))
            for body in [found.text, found.htmlText] {
                #expect(body.contains("no-reply@cloudone.example"))
                #expect(body.contains("Trend Cloud One"))
                #expect(body.contains(message.recipient))
                #expect(body.contains(locale == "en" ? "Requested 14:00 UTC" : "お申し込み時刻：23:00（日本時間）"))
                #expect(body.contains(locale == "en" ? "30 minutes" : "30分") == (message.expiresAt != nil))
                let moment = locale == "en" ? "until 23 November 2026, 14:30 UTC" : "2026年11月23日 23:30（日本時間）"
                #expect(body.contains(moment) == (message.expiresAt != nil))
                #expect(!body.contains("{{"))
            }
        }
    }

    @Test("a sender without a name, and one with a name in another script, are shown as they are")
    func senders() throws {
        for name in [nil, "トレンドマイクロ クラウドワン サポートチーム", "O'Hara, \"Jane\" \\ Co. <x>", "=?utf-8?q?trap?="] {
            let sender = Sender(name: name, address: "no-reply@cloudone.example")
            let mail = try Fixtures.shipped(sender: sender).compose(Fixtures.message())
            let read = try PythonReader.read(mail)
            #expect(read.defects == [])
            #expect(read.fromName == name ?? "")
            #expect(read.fromAddress == sender.address)
            #expect(read.longestHeaderLine <= 78)
            #expect(read.longEncodedWords == 0)
            #expect(read.htmlText.contains("Sent by \(name.map { "\($0) <no-reply" } ?? "no-reply")"))
        }
    }

    @Test("the pages have no script, no image and nothing else that is fetched")
    func nothingIsFetched() throws {
        let composer = try Fixtures.shipped()
        for kind in composer.kinds {
            for locale in composer.locales(ofKind: kind) {
                let html = try composer.preview(kind: kind, locale: locale, part: .html)
                for forbidden in ["<script", "<img", "<link", "url(", "@import", "src=", "font-size: 0"] {
                    #expect(!html.contains(forbidden))
                }
                #expect(html.contains("<html lang=\"\(locale)\" dir=\"ltr\">"))
                #expect(html.contains("prefers-color-scheme: dark"))
                #expect(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"))
            }
        }
    }

    @Test("a new kind and a new locale are files of words, and the layout says what they lack")
    func newKindAndLocale() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/templates"
        try FileManager.default.copyItem(atPath: Fixtures.shippedTemplates, toPath: path)
        func copy(_ source: String, _ target: String, _ replacements: [String: String] = [:]) throws {
            var text = try String(contentsOfFile: "\(path)/\(source)", encoding: .utf8)
            for (old, new) in replacements { text = text.replacing(old, with: new) }
            try folder.write("templates/\(target)", text)
        }
        func composer() throws -> MailComposer {
            let links = Fixtures.links.merging(["invite-user": "https://cloudone.example/join/{token}"]) { $1 }
            return try MailComposer(templates: path, links: links, sender: Fixtures.sender)
        }
        for name in ["subject.txt", "body.txt", "body.html"] {
            let title = ["Verify your email address": "Join {{team}}"]
            try copy("verify-email/en/\(name).mustache", "invite-user/en/\(name).mustache", title)
            try copy("verify-email/en/\(name).mustache", "verify-email/de/\(name).mustache")
        }
        try folder.write("templates/invite-user/sample.json", #"{"team": "Blue Team"}"#)
        let error = #expect(throws: TemplateLoadingError.self) { try composer() }
        #expect(
            error?.problems.first?.description
                == "\(path)/verify-email/de/body.html.mustache:1: there is no 'mail' to include: looked for "
                + ["verify-email/de", "partials/de", "partials"].map { "\(path)/\($0)/mail.html.mustache" }
                .joined(separator: ", ")
        )
        try copy("partials/en/mail.html.mustache", "partials/de/mail.html.mustache", ["Requested": "Angefordert um"])
        let german = try composer().preview(kind: "verify-email", locale: "de-AT", part: .html)
        #expect(german.contains("<html lang=\"de\"") && german.contains("Angefordert um 14:00 Uhr (UTC)"))
        let invitation = Fixtures.message(kind: "invite-user", variables: #"{"team": "Red & Co"}"#)
        let mail = try PythonReader.read(composer().compose(invitation))
        #expect(mail.subject == "Join Red & Co")
        #expect(mail.html.contains("<title>Join Red &amp; Co</title>"))

        try copy(
            "verify-email/de/body.html.mustache",
            "verify-email/de/body.html.mustache",
            ["$button": "$buton", "/button": "/buton"]
        )
        let problems = #expect(throws: TemplateLoadingError.self) { try composer() }?.problems.map(\.description) ?? []
        #expect(problems.count == 2)
        #expect(problems.contains { $0.hasPrefix("\(path)/partials/layout.html.mustache:") && $0.contains("'button'") })
        #expect(problems.contains("\(path)/verify-email/de/body.html.mustache:5: {{<mail}} has no block 'buton'"))
    }

    @Test("an unknown kind is an error and never another kind's mail")
    func unknownKind() throws {
        let composer = try Fixtures.shipped()
        #expect(throws: CompositionError.unknownKind("newsletter")) {
            try composer.compose(Fixtures.message(kind: "newsletter"))
        }
        #expect(composer.kinds == ["verify-email", "reset-password"])
    }

    @Test("a preview shows each part of the mail with sample values")
    func previews() throws {
        let composer = try Fixtures.shipped()
        #expect(try composer.preview(kind: "reset-password", locale: nil, part: .subject) == "Reset your password")
        #expect(try composer.preview(kind: "reset-password", locale: "ja", part: .text).hasPrefix("パスワードの再設定\n"))
        #expect(try composer.preview(kind: "reset-password", locale: "en", part: .html).hasPrefix("<!DOCTYPE html>"))
        #expect(
            try composer.preview(kind: "reset-password", locale: "en", part: .message).contains("\r\nSubject: Reset")
        )
        #expect(throws: CompositionError.unknownKind("x")) {
            try composer.preview(kind: "x", locale: nil, part: .text)
        }
    }
}
