// One page that shows every mail. Never sends anything, and fetches nothing but what the mails themselves name, such as pictures.

import MailComposer
import MailLint

/// A page with mails: both parts, two widths, light and dark, the header and the size.
struct PreviewPage {
    let composer: MailComposer
    /// The mail program as which the HTML parts are shown; `nil`: whole.
    let client: ReducedView?

    /// The widths of a telephone and of a window, in pixels.
    private static let widths = [320, 600]

    /// The page, as one file.
    ///
    /// - Parameters:
    ///   - kinds: the kinds to show, each one of the composer's.
    ///   - locale: the locale to show, with the fallback of a mail; `nil`: each locale of a kind.
    /// - Throws: `CompositionError` for an unknown kind.
    func html(kinds: [String], locale: String?) throws -> String {
        var sections = ""
        var contents = ""
        for kind in kinds {
            // A mail in another locale is that of the locale to which it falls back.
            let only = try locale.map { [try composer.localeInUse(kind: kind, requested: $0)] }
            for locale in only ?? composer.locales(ofKind: kind).sorted() {
                let name = Self.escaped("\(kind) \(locale)")
                let anchor = name.replacing(" ", with: "-")
                contents += "<a href=\"#\(anchor)\">\(name)</a> "
                sections += try section(kind: kind, locale: locale, anchor: anchor)
            }
        }
        let program = client.map { ", as \($0.rawValue) keeps them" } ?? ""
        return """
            <!DOCTYPE html>
            <html lang="en">
            <meta charset="utf-8">
            <title>Mails with sample values\(program)</title>
            <style>
              body { margin: 24px; font-family: sans-serif; background: #ffffff; color: #222222; }
              .mail { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
              figure { margin: 0; }
              figcaption { font-size: 13px; color: #555555; }
              iframe { border: 1px solid #999999; height: 900px; }
              pre { max-width: 600px; margin: 0; padding: 8px; border: 1px solid #999999; white-space: pre-wrap; overflow-wrap: anywhere; }
            </style>
            <h1>Mails with sample values\(program)</h1>
            <p>\(contents)</p>
            \(sections)<script>
              // Each frame is as high as its mail.
              for (const frame of document.querySelectorAll("iframe"))
                frame.addEventListener("load", () => {
                  frame.style.height = frame.contentDocument.documentElement.scrollHeight + 4 + "px";
                });
            </script>
            </html>

            """
    }

    private func section(kind: String, locale: String, anchor: String) throws -> String {
        let whole = try composer.preview(kind: kind, locale: locale, part: .html)
        let page = client.map { $0.reduced(whole) } ?? whole
        let message = try composer.preview(kind: kind, locale: locale, part: .message)
        let subject = try composer.preview(kind: kind, locale: locale, part: .subject)
        let text = try composer.preview(kind: kind, locale: locale, part: .text)
        let header = message.firstRange(of: "\r\n\r\n").map { message[..<$0.lowerBound] } ?? message[...]
        let frames = ["light", "dark"].flatMap { scheme in
            Self.widths.map { width in
                let name = Self.escaped("\(kind) \(locale), \(scheme), \(width) pixels")
                // Without allow-scripts a script of a template does as little as in a mail program.
                return """
                    <figure><figcaption>\(scheme), \(width) px</figcaption><iframe title="\(name)" width="\(width)" \
                    sandbox="allow-same-origin" srcdoc="\(Self.escaped(Self.in(scheme, page)))"></iframe></figure>

                    """
            }
        }
        return """
            <h2 id="\(anchor)">\(Self.escaped("\(kind) \(locale)")): \(Self.escaped(subject))</h2>
            <p>\(message.utf8.count) octets</p>
            <div class="mail">
            \(frames.joined())<figure><figcaption>text part</figcaption><pre dir="auto">\(Self.escaped(text))</pre></figure>
            <figure><figcaption>header</figcaption><pre>\(Self.escaped(header.replacing("\r\n", with: "\n")))</pre></figure>
            </div>

            """
    }

    /// The page with the media query of dark colours always or never true, whatever the machine prefers.
    private static func `in`(_ scheme: String, _ page: String) -> String {
        let query = /\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)/.ignoresCase()
        // Within `and`, `all` would be no query.
        return page.replacing(query) { $0.1.lowercased() == scheme ? "(min-width: 0)" : "(max-width: 0)" }
            // Otherwise a browser in dark mode would colour the frame's canvas.
            .replacing("color-scheme: light dark", with: "color-scheme: \(scheme)")
            .replacing("content=\"light dark\"", with: "content=\"\(scheme)\"")
    }

    private static func escaped(_ text: some StringProtocol) -> String {
        String(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }
}
