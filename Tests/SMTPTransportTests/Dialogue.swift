// Reads the dialogues in the folder Dialogues. Its README describes the grammar.

import Foundation
import OutboxCore
import SMTPTransport
import Testing

/// One written dialogue.
struct Dialogue: Sendable, CustomTestStringConvertible {
    /// One step of the dialogue.
    enum Step: Sendable, Equatable {
        case mail(from: String, to: String, envelopeID: String?, reports: String, content: [UInt8])
        case client([UInt8])
        /// The relay's octets of one read.
        case relay([UInt8])
        case permit(Bool)
        case closes, late, abort
        case result(String)
    }

    let file: String
    let name: String
    var offers: [String] = []
    var steps: [Step] = []

    var testDescription: String { "\(file): \(name)" }

    /// All dialogues.
    static let all: [Dialogue] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Dialogues")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "txt" }.sorted { $0.path < $1.path }.flatMap { file in
            guard let text = try? String(contentsOf: file, encoding: .utf8) else {
                preconditionFailure("\(file.path) is no text")
            }
            return read(text, file: file.lastPathComponent)
        }
    }()

    private static func read(_ text: String, file: String) -> [Dialogue] {
        var dialogues: [Dialogue] = []
        for line in text.split(separator: "\n").map(String.init) where !line.hasPrefix("#") {
            if line.hasPrefix("== ") {
                dialogues.append(Dialogue(file: file, name: String(line.dropFirst(3))))
            } else {
                precondition(!dialogues.isEmpty, "\(file): '\(line)' stands before the first dialogue")
                dialogues[dialogues.count - 1].add(line)
            }
        }
        return dialogues
    }

    private mutating func add(_ line: String) {
        let rest = line.dropFirst(line.prefix { $0 != " " }.count).drop { $0 == " " }
        switch line.prefix(while: { $0 != " " }) {
        case "offers": offers.append(String(rest))
        case "mail": steps.append(Self.mail(String(rest)))
        case "C:": steps.append(.client(Array("\(rest)\r\n".utf8)))
        case "S:":
            let octets = rest.last == "\\" ? Self.octets(rest.dropLast()) : Self.octets(rest) + [0x0D, 0x0A]
            if case .relay(let before) = steps.last {
                steps[steps.count - 1] = .relay(before + octets)
            } else {
                steps.append(.relay(octets))
            }
        case "?": steps.append(.permit(rest == "yes"))
        case "closes": steps.append(.closes)
        case "late": steps.append(.late)
        case "abort": steps.append(.abort)
        case "=": steps.append(.result(String(rest)))
        default: preconditionFailure("\(file), \(name): what is '\(line)'?")
        }
    }

    private static func mail(_ text: String) -> Step {
        let parts = text.split(separator: " content ", maxSplits: 1, omittingEmptySubsequences: false)
        let isContentAlone = text.hasPrefix("content ")
        let quoted = isContentAlone ? Substring(text.dropFirst(8)) : parts.count == 2 ? parts[1] : #""Hello\r\n""#
        let words = isContentAlone ? [] : parts[0].split(separator: " ")
        func value(_ key: Substring, default standard: String) -> String {
            guard let index = words.firstIndex(of: key), index + 1 < words.count else { return standard }
            return words[index + 1] == "<>" ? "" : String(words[index + 1])
        }
        return .mail(
            from: value("from", default: "no-reply@example.com"),
            to: value("to", default: "ann@example.com"),
            envelopeID: words.contains("id") ? value("id", default: "") : nil,
            reports: value("reports", default: "failure"),
            content: octets(quoted.dropFirst().dropLast())
        )
    }

    private static func octets(_ text: some StringProtocol) -> [UInt8] {
        var result: [UInt8] = []
        var rest = Substring(text)
        while let character = rest.popFirst() {
            guard character == "\\" else {
                result += String(character).utf8
                continue
            }
            switch rest.popFirst() {
            case "r": result.append(0x0D)
            case "n": result.append(0x0A)
            case "x":
                guard let octet = UInt8(rest.prefix(2), radix: 16) else { preconditionFailure("\(text)") }
                result.append(octet)
                rest = rest.dropFirst(2)
            default: preconditionFailure("an escape in '\(text)'")
            }
        }
        return result
    }
}
