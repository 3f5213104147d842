// The command `preview`. Never sends anything, and never opens the database.

import ArgumentParser
import Foundation
import MailComposer
import MailLint
import ProgramSupport

struct Preview: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Render a mail with sample values, or all mails on one page.",
        discussion: """
              outboxctl preview reset-password --locale ja --part html > page.html
              outboxctl preview --all mails.html --open
              outboxctl preview --all outlook.html --client outlook

            Needs no database. Checks all templates.
            """
    )

    @Argument(help: "The kind of mail: the name of a template folder, such as verify-email. With --all: only this one.")
    var kind: String?

    @Option(help: ArgumentHelp("The language, such as ja; falls back as for a mail.", valueName: "tag"))
    var locale: String?

    @Option(
        help: ArgumentHelp("What to print: \(listed(PreviewPart.self)). Without it: text.", valueName: "part"),
        transform: { try named($0, as: PreviewPart.self, "part") }
    )
    var part: PreviewPart?

    @Option(
        help: ArgumentHelp(
            "Write one page with every kind and locale: both parts, 320 and 600 pixels wide, light and dark, header and size.",
            valueName: "file.html"
        ),
        completion: .file(extensions: ["html"])
    )
    var all: String?

    @Flag(help: "Open the page of --all in the browser of this machine's display.")
    var open = false

    @Option(
        help: ArgumentHelp(
            "Show the HTML part as a mail program keeps it, by a model of caniemail.com's data: \(listed(ReducedView.self)).",
            valueName: "client"
        ),
        transform: { try named($0, as: ReducedView.self, "client") }
    )
    var client: ReducedView?

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        if all == nil {
            if kind == nil { throw ValidationError("name a kind of mail, or give --all FILE.html") }
            if open { throw ValidationError("--open shows the page of --all: give --all FILE.html, too") }
            if client != nil, part != .html {
                throw ValidationError("--client reduces HTML: give --part html, or --all")
            }
        } else {
            if part != nil { throw ValidationError("--all shows all parts: leave --part out") }
            // Otherwise `--all verify-email` would write a file of that name.
            if all?.hasSuffix(".html") == false {
                throw ValidationError("--all needs the name of a file that ends in .html")
            }
        }
    }

    func run() async throws {
        try await reportingFailures {
            let composer = try MailComposer(settings: try options.settings())
            if let kind, !composer.kinds.contains(kind) {
                let kinds = composer.kinds.sorted().joined(separator: ", ")
                throw ValidationError("there are no templates for '\(kind)'; the kinds are \(kinds)")
            }
            if let all {
                try writePage(to: all, composer)
            } else if let kind {
                let text = try composer.preview(kind: kind, locale: locale, part: part ?? .text)
                print(client.map { $0.reduced(text) } ?? text)
            }
        }
    }

    private func writePage(to path: String, _ composer: MailComposer) throws {
        let page = PreviewPage(composer: composer, client: client)
        let kinds = kind.map { [$0] } ?? composer.kinds.sorted()
        do {
            try page.html(kinds: kinds, locale: locale).write(toFile: path, atomically: false, encoding: .utf8)
        } catch let error as CocoaError {
            let reason = (error.underlying as? POSIXError).map { String(cString: strerror($0.code.rawValue)) }
            throw ProgramFailure.cannotCreate("'\(path)' can't be written: \(reason ?? error.localizedDescription)")
        }
        print("wrote \(path)")
        if open { try Self.openInBrowser(path) }
    }

    /// Leaves the choice of the browser to the desktop.
    private static func openInBrowser(_ path: String) throws {
        let environment = ProcessInfo.processInfo.environment
        guard ["DISPLAY", "WAYLAND_DISPLAY"].contains(where: { environment[$0]?.isEmpty == false }) else {
            throw ProgramFailure.unavailable("there is no display here: copy \(path), and open it elsewhere")
        }
        let opener = Process()
        opener.executableURL = URL(filePath: "/usr/bin/env")
        opener.arguments = ["xdg-open", path]
        try opener.run()
        opener.waitUntilExit()
        guard opener.terminationStatus == 0 else {
            throw ProgramFailure.unavailable("xdg-open can't open \(path): open it in a browser yourself")
        }
    }

    private static func listed<Value: CaseIterable & RawRepresentable>(_: Value.Type) -> String
    where Value.RawValue == String {
        Value.allCases.map(\.rawValue).joined(separator: ", ")
    }

    private static func named<Value: CaseIterable & RawRepresentable>(
        _ text: String,
        as _: Value.Type,
        _ noun: String
    ) throws -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: text) else {
            throw ValidationError("'\(text)' is not a \(noun); the \(noun)s are \(listed(Value.self))")
        }
        return value
    }
}
