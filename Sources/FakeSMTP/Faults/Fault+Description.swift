// Writes a fault in its text form, from which FaultParser reads an equal fault.

extension Fault: CustomStringConvertible {
    /// The text form; ``init(parsing:)`` turns it into an equal fault.
    package var description: String {
        var words = ["\(stage.rawValue):", action.text]
        if let when = when.text {
            words.append(when)
        }
        if let recipient {
            words.append("for \(recipient)")
        }
        return words.joined(separator: " ")
    }
}

extension Fault.Action {
    /// The action's part of the text form.
    var text: String {
        switch self {
        case .reply(let code, let enhanced, let text):
            (["reply", "\(code)"] + [enhanced, text.map(Self.quoted)].compactMap(\.self)).joined(separator: " ")
        case .raw(let octets, let end):
            (["raw", Self.quoted(octets)] + (end.map { ["then", $0.rawValue] } ?? [])).joined(separator: " ")
        case .delay(let duration): "delay \(WrittenTime(duration))"
        case .drop: "drop"
        case .reset: "reset"
        case .hang: "hang"
        case .garbled: "garbled"
        case .acceptDrop: "accept-drop"
        case .breakTLS: "break-tls"
        }
    }

    private static func quoted(_ octets: [UInt8]) -> String {
        let escaped = octets.map { octet in
            switch octet {
            case UInt8(ascii: "\r"): "\\r"
            case UInt8(ascii: "\n"): "\\n"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\\(Character(UnicodeScalar(octet)))"
            case 0x20...0x7E: String(Character(UnicodeScalar(octet)))
            default: "\\x" + (octet < 0x10 ? "0" : "") + String(octet, radix: 16, uppercase: true)
            }
        }
        return "\"\(escaped.joined())\""
    }

    private static func quoted(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
        return "\"\(escaped)\""
    }
}

extension Fault.When {
    /// The schedule's part of the text form; `nil` for the default `always`.
    var text: String? {
        switch self {
        case .always: nil
        case .nth(let count): "nth \(count)"
        case .first(let count): "first \(count)"
        case .every(let count): "every \(count)"
        case .odds(let odds): "odds \(odds)"
        }
    }
}
