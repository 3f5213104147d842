// The mails of the shipped templates, read back by another program.

import Foundation
import MailComposer
import MailTemplates
import OutboxCore
import TestSupport
import Testing

@Suite struct ShippedMailTests {
    static let locales = ["en", "de", "fr", "es", "pt-BR", "ja", "ko", "zh-Hans", "zh-Hant", "ar"]
    static let subjects = [
        "verify-email": [
            "en": "Verify your email address", "ja": "メールアドレスの確認", "ar": "تحقق من عنوان بريدك الإلكتروني",
        ],
        "reset-password": ["en": "Reset your password", "ja": "パスワードの再設定", "de": "Passwort zurücksetzen"],
    ]
    static let buttons = [
        "verify-email": ["en": "Verify email", "ja": "メールアドレスの確認"],
        "reset-password": ["en": "Reset Password", "ja": "パスワードの再設定"],
    ]
    /// The words after which a span stands, and the moment 30 minutes after the request.
    static let lifetimes = [
        "en": ["Requested 14:00 UTC", "30 minutes after the request", "until 23 November 2026, 14:30 UTC"],
        "de": ["Angefordert: 14:00 Uhr (UTC)", "ab der Anforderung 30 Minuten", "23. November 2026, 14:30 Uhr (UTC)"],
        "fr": ["14:00 (UTC)", "30 minutes à compter de la demande", "jusqu’au 23 novembre 2026 à 14:30 (UTC)"],
        "es": [
            "Solicitado: 14:00 (UTC)", "30 minutos a partir de la solicitud", "23 de noviembre de 2026, 14:30 (UTC)",
        ],
        "pt-BR": [
            "Solicitado: 14:00 (UTC)", "30 minutos a partir da solicitação", "23 de novembro de 2026, 14:30 (UTC)",
        ],
        "ja": ["お申し込み時刻：23:00（日本時間）", "お申し込みから30分", "2026年11月23日 23:30（日本時間）まで"],
        "ko": ["요청 시각: 23:00(한국 시간)", "요청하신 시점부터 30분", "2026년 11월 23일 23:30(한국 시간)"],
        "zh-Hans": ["申请时间：22:00（北京时间）", "自申请时起 30 分钟内", "2026年11月23日 22:30（北京时间）"],
        "zh-Hant": ["申請時間：22:00（UTC+8）", "自申請時起 30 分鐘內", "2026年11月23日 22:30（UTC+8）"],
        "ar": ["وقت الطلب: 14:00 (UTC)", "30 دقيقة من وقت الطلب", "23 نوفمبر 2026، 14:30 (UTC)"],
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
            for locale in Self.locales {
                for lifetime in [nil, Duration.seconds(1800)] {
                    // Every value in two locales, and the longest in all.
                    let isWhole = ["en", "ja"].contains(locale)
                    for token in isWhole ? tokens : [tokens[1]] {
                        for recipient in isWhole ? recipients : [recipients[4]] {
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
            if let subject = Self.subjects[message.kind]?[locale] { #expect(mail.subject == subject) }
            #expect(found.subject == mail.subject)
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
            #expect(found.linkTexts.count == 2)
            if let button = Self.buttons[message.kind]?[locale] { #expect(found.linkTexts[0] == button) }
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
                // Once is enough: a stranger chooses the address.
                #expect(body.split(separator: message.recipient, omittingEmptySubsequences: false).count == 2)
                let lifetime = try #require(Self.lifetimes[locale])
                #expect(body.contains(lifetime[0]), "\(locale)")
                // The preview line has the span as well.
                for words in lifetime.dropFirst() {
                    #expect(body.contains(words) == (message.expiresAt != nil), "\(locale): \(words)")
                }
                #expect(!body.contains("  ") && !body.contains("\u{202F}"), "\(locale)")
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
            #expect(read.text.contains(name ?? "an account"))
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
                let direction = locale == "ar" ? "rtl" : "ltr"
                #expect(html.contains("<html lang=\"\(locale)\" dir=\"\(direction)\" "))
                // Programs that put the body into a page of their own keep one of these.
                for element in ["<body ", "<td class=\"page\" "] {
                    let start = try #require(html.range(of: element)?.upperBound)
                    #expect(html[start...].prefix(100).contains("lang=\"\(locale)\" dir=\"\(direction)\""))
                }
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
        let title = ["Verify your email address": "Join {{team}}"]
        try copy("verify-email/en.mustache", "invite-user/en.mustache", title)
        try copy("verify-email/en.mustache", "verify-email/nl.mustache")
        try folder.write("templates/invite-user/sample.json", Fixtures.samples(#"{"team": "Blue Team"}"#))
        let error = #expect(throws: TemplateLoadingError.self) { try composer() }
        #expect(
            error?.problems.first?.description
                == "\(path)/verify-email/nl.mustache:1: there is no 'mail' to include: looked for "
                + ["verify-email", "partials/nl", "partials"].map { "\(path)/\($0)/mail.subject.mustache" }
                .joined(separator: ", ")
        )
        try copy("partials/en/mail.mustache", "partials/nl/mail.mustache", ["Requested {{": "Aangevraagd om {{"])
        let dutch = try composer().preview(kind: "verify-email", locale: "nl-BE", part: .html)
        #expect(dutch.contains("<html lang=\"nl\"") && dutch.contains("Aangevraagd om 14:00 UTC"))
        let invitation = Fixtures.message(kind: "invite-user", variables: #"{"team": "Red & Co"}"#)
        let mail = try PythonReader.read(composer().compose(invitation))
        #expect(mail.subject == "Join Red & Co")
        #expect(mail.html.contains("<title>Join Red &amp; Co</title>"))

        try copy("verify-email/nl.mustache", "verify-email/nl.mustache", ["$button": "$buton", "/button": "/buton"])
        let problems = #expect(throws: TemplateLoadingError.self) { try composer() }?.problems.map(\.description) ?? []
        #expect(problems.count == 1, "\(problems)")
        #expect(
            problems.allSatisfy { $0.hasPrefix("\(path)/partials/layout.html.mustache:") && $0.contains("'button'") }
        )
        try copy(
            "verify-email/nl.mustache",
            "verify-email/nl.mustache",
            ["{{$buton": "{{$button}}x{{/button}}\n{{$buton"]
        )
        #expect(
            #expect(throws: TemplateLoadingError.self) { try composer() }?.problems.map(\.description)
                == ["\(path)/verify-email/nl.mustache:9: {{<mail}} has no block 'buton'"]
        )
    }

    @Test("a file of words is text: markup is refused with its line, and other characters mean themselves")
    func words() throws {
        let folder = try TemporaryFolder()
        try folder.write("partials/layout.subject.mustache", "{{$subject}}{{/subject}}")
        try folder.write("partials/layout.txt.mustache", "{{$words}}{{/words}}\n")
        try folder.write(
            "partials/layout.html.mustache",
            "<p>{{$words}}{{/words}}</p>\n{{$optional}}<b>{{$bold}}{{/bold}}</b>{{/optional}}\n"
        )
        func write(_ words: String) throws {
            try folder.write(
                "k/en.mustache",
                "{{<layout}}\n{{$subject}}A & B{{/subject}}\n{{$optional}}{{/optional}}\n{{$words}}\(words){{/words}}\n{{/layout}}\n"
            )
        }
        try write("Q&A: \"it's\"  \n  {{recipient}},\ntoo > 1")
        let composer = try folder.composer()
        #expect(try composer.preview(kind: "k", locale: nil, part: .subject) == "A & B")
        #expect(
            try composer.preview(kind: "k", locale: nil, part: .text)
                == "Q&A: \"it's\"  \n  jane.doe@example.com,\ntoo > 1\n"
        )
        #expect(
            try composer.preview(kind: "k", locale: nil, part: .html)
                == "<p>Q&amp;A: &quot;it&#39;s&quot; jane.doe@example.com, too &gt; 1</p>\n\n"
        )
        try write("確認、\nします。\n{{recipient}}\n次に\nabc")
        #expect(
            try folder.composer().preview(kind: "k", locale: nil, part: .html)
                == "<p>確認、します。jane.doe@example.com次にabc</p>\n\n"
        )
        for markup in ["<b>", "&amp;", "&#8217;"] {
            try write("one\n\(markup) two {{recipient}}")
            #expect(folder.problems().count == 1)
            #expect(
                folder.problems().first?.hasPrefix(
                    "k/en.mustache:5: '\(markup == "<b>" ? "<" : markup)' has no meaning"
                ) == true
            )
        }
        try folder.writeTemplates("k/en")
        #expect(folder.problems().contains { $0.contains("is the same language as another") })
    }

    @Test("help, a page to ask again, company, replies, Feedback-ID, logo and colour are shown if they are configured")
    func options() throws {
        var options = MailOptions()
        options.replyTo = "support@example.com"
        options.company = "O'Hara & Co, 1 Example Street"
        options.help = try PageAddress("https://example.com/help?a=1&b=2")
        options.askAgain = ["reset-password": try PageAddress("https://example.com/forgot")]
        options.feedbackIDs = ["reset-password": try #require(FeedbackID("reset:example"))]
        options.logo = try PageAddress("https://example.com/logo.png")
        options.color = try BrandColor("#7a1fa2")
        let composer = try MailComposer(
            templates: Fixtures.shippedTemplates,
            links: Fixtures.links,
            sender: Fixtures.sender,
            options: options
        )
        let mail = try composer.compose(Fixtures.message(kind: "reset-password"))
        let header = String(decoding: mail.bytes, as: UTF8.self)
        #expect(header.contains("\r\nReply-To: support@example.com\r\n"))
        #expect(header.contains("\r\nFeedback-ID: reset:example\r\n"))
        let read = try PythonReader.read(mail)
        #expect(read.defects == [] && read.unbalancedTags == [])
        #expect(read.text.contains("Help: https://example.com/help?a=1&b=2\n"))
        #expect(read.text.contains("After that, request a new email.\nhttps://example.com/forgot\n"))
        for body in [read.text, read.htmlText] {
            #expect(body.contains("O'Hara & Co, 1 Example Street"))
            #expect(!body.contains("don’t reply"), "somebody reads replies")
        }
        #expect(read.html.contains(#"<img src="https://example.com/logo.png" alt="Trend Cloud One""#))
        #expect(read.html.contains("background-color: #7a1fa2") && !read.html.contains("#0b57d0"))
        let other = try PythonReader.read(composer.compose(Fixtures.message(kind: "verify-email", locale: "ja")))
        #expect(!other.text.contains("https://example.com/forgot"))
        // In a page written from right to left, a full stop at its end would stand before it.
        let arabic = try PythonReader.read(composer.compose(Fixtures.message(kind: "reset-password", locale: "ar")))
        #expect(arabic.html.contains(">\u{2068}O&#39;Hara &amp; Co, 1 Example Street\u{2069}</p>"))

        options.askAgain = ["rest-password": try PageAddress("https://example.com/forgot")]
        let error = #expect(throws: TemplateLoadingError.self) {
            try MailComposer(
                templates: Fixtures.shippedTemplates,
                links: Fixtures.links,
                sender: Fixtures.sender,
                options: options
            )
        }
        #expect(error?.description.hasPrefix("ask_again.rest-password: has no folder") == true)
    }

    @Test("a code stands beside the button, in each locale", arguments: locales)
    func codes(locale: String) throws {
        let composer = try MailComposer(
            templates: Fixtures.shippedTemplates,
            links: Fixtures.links,
            sender: Fixtures.sender,
            codes: ["verify-email"]
        )
        let message = Message(
            id: 1,
            kind: "verify-email",
            recipient: "jane@example.com",
            token: Token("t"),
            code: Token("40271935"),
            locale: locale,
            envelopeID: "e",
            requestedAt: Fixtures.requestedAt,
            expiresAt: Fixtures.requestedAt + .seconds(2400),
            validFor: .seconds(1800),
            firstAttemptAt: Fixtures.requestedAt + .seconds(600)
        )
        let mail = try PythonReader.read(composer.compose(message))
        #expect(mail.defects == [] && mail.unbalancedTags == [])
        #expect(mail.text.contains("\n\n40271935\n\n") && mail.htmlText.contains("40271935"))
        // The span begins with the sending, so its words differ from those of a span that begins with the request.
        let other = try PythonReader.read(Fixtures.shipped().compose(Fixtures.message(locale: locale)))
        #expect(!other.text.contains("40271935"))
        let begin = try #require(Self.lifetimes[locale]?[1])
        #expect(other.text.contains(begin) && !mail.text.contains(begin))
        if locale == "en" { #expect(mail.text.contains("The link works for 30 minutes after this email was sent,\n")) }
    }

    @Test("a mail about a changed password has no link, no token and no button, in each locale", arguments: locales)
    func passwordChanged(locale: String) throws {
        let composer = try Fixtures.shipped()
        #expect(composer.kindsWithToken == ["verify-email", "reset-password"])
        let mail = try PythonReader.read(
            composer.compose(Fixtures.message(kind: "password-changed", locale: locale, livesFor: nil))
        )
        #expect(mail.defects == [] && mail.unbalancedTags == [] && mail.hrefs == [])
        for body in [mail.text, mail.htmlText] {
            #expect(!body.contains("tok-1") && !body.contains("https://"))
            #expect(body.split(separator: "jane@example.com", omittingEmptySubsequences: false).count == 2)
            #expect(
                body.contains("Trend Cloud One") && body.contains(locale == "ja" || locale == "ko" ? "23:00" : ":00")
            )
        }
        #expect(!mail.text.contains("\n\n\n"))
    }

    @Test("an unknown kind is an error and never another kind's mail")
    func unknownKind() throws {
        let composer = try Fixtures.shipped()
        #expect(throws: CompositionError.unknownKind("newsletter")) {
            try composer.compose(Fixtures.message(kind: "newsletter"))
        }
        #expect(composer.kinds == ["verify-email", "reset-password", "password-changed"])
        #expect(composer.kinds.allSatisfy { composer.locales(ofKind: $0) == Set(Self.locales) })
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
