// Parses the text form of a fault. Every error names the wrong part and what was expected there. Fault's initialiser
// decides which parts may be combined.

extension Fault {
    /// Creates a fault from its text form:
    ///
    ///     STAGE: ACTION [WHEN] [for ADDRESS]
    ///     STAGE   connect ehlo startTLS auth mail rcpt data body finalDot quit
    ///     ACTION  reply CODE [ENHANCED] ["TEXT"], raw "OCTETS" [then drop|reset], drop, reset, delay TIME, hang,
    ///             garbled, accept-drop, break-tls
    ///     WHEN    always, nth N, first N, every N, odds P
    ///     TIME    a number with its unit: 200ms, 1.5s, 2m
    ///
    /// Words are read without regard to case. In TEXT, `\n` begins another line of the reply, and `\"` and `\\` stand
    /// for `"` and `\`. In OCTETS, `\r`, `\n`, `\xHH`, `\"` and `\\` are escapes, and nothing is added to the octets.
    ///
    /// - Throws: ``FaultError``, with the text, if the text is not a valid fault.
    package init(parsing text: String) throws(FaultError) {
        do {
            var parser = try FaultParser(text)
            self = try parser.fault()
        } catch {
            throw FaultError(problem: error.problem, expected: error.expected, text: text)
        }
    }
}

private struct FaultParser {
    private enum Token: Equatable {
        case word(String)
        /// The text between the quotes, with its escapes unchanged.
        case quoted(String)

        var text: String {
            switch self {
            case .word(let text): "'\(text)'"
            case .quoted(let text): "\"\(text)\""
            }
        }
    }

    private static let stages = Fault.Stage.allCases.map(\.rawValue).joined(separator: ", ")
    private static let actions = "reply, raw, drop, reset, delay, hang, garbled, accept-drop or break-tls"
    private static let rest = "always, nth N, first N, every N, odds P, for ADDRESS, or the end"

    private let stageName: String
    private var tokens: ArraySlice<Token>

    init(_ text: String) throws(FaultError) {
        guard let colon = text.firstIndex(of: ":") else {
            throw FaultError(problem: "no colon after the stage", expected: "STAGE: ACTION, as in 'rcpt: reply 450'")
        }
        stageName = text[..<colon].split(whereSeparator: \.isWhitespace).joined(separator: " ")
        tokens = try Self.tokens(in: text[text.index(after: colon)...])[...]
    }

    mutating func fault() throws(FaultError) -> Fault {
        let stage = try stage()
        let action = try action()
        var when: Fault.When?
        var recipient: String?
        while let token = tokens.popFirst() {
            guard case .word(let word) = token else {
                throw FaultError(problem: "unexpected text \(token.text)", expected: Self.rest)
            }
            if word.lowercased() == "for" {
                guard recipient == nil else {
                    throw FaultError(problem: "a second 'for'", expected: "one recipient; write one fault for each")
                }
                recipient = try nextWord(expected: "an address such as bob@example.com after 'for'")
            } else {
                let schedule = try self.schedule(named: word)
                guard when == nil else {
                    throw FaultError(problem: "a second schedule '\(word)'", expected: "at most one of them")
                }
                when = schedule
            }
        }
        return try Fault(at: stage, action, when: when ?? .always, recipient: recipient)
    }

    private func stage() throws(FaultError) -> Fault.Stage {
        guard
            let stage = Fault.Stage.allCases.first(where: { $0.rawValue.lowercased() == stageName.lowercased() })
        else {
            throw FaultError(problem: "unknown stage '\(stageName)'", expected: "one of \(Self.stages)")
        }
        return stage
    }

    private mutating func action() throws(FaultError) -> Fault.Action {
        let name = try nextWord(expected: Self.actions)
        switch name.lowercased() {
        case "reply": return try reply()
        case "raw": return try raw()
        case "drop": return .drop
        case "reset": return .reset
        case "hang": return .hang
        case "garbled": return .garbled
        case "accept-drop": return .acceptDrop
        case "break-tls": return .breakTLS
        case "delay": return .delay(try duration(try nextWord(expected: "a time such as 200ms after 'delay'")))
        default: throw FaultError(problem: "unknown action '\(name)'", expected: Self.actions)
        }
    }

    private mutating func reply() throws(FaultError) -> Fault.Action {
        let word = try nextWord(expected: "a reply code such as 450 after 'reply'")
        guard word.utf8.count == 3, word.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let code = Int(word) else {
            throw FaultError(problem: "the reply code '\(word)'", expected: "three digits such as 450")
        }
        var enhanced: String?
        if case .word(let word) = tokens.first, word.first?.isNumber == true {
            enhanced = word
            tokens.removeFirst()
        }
        var text: String?
        if case .quoted(let quoted) = tokens.first {
            text = try Self.text(of: quoted)
            tokens.removeFirst()
        }
        return .reply(code, enhanced: enhanced, text: text)
    }

    private mutating func raw() throws(FaultError) -> Fault.Action {
        guard case .quoted(let quoted) = tokens.popFirst() else {
            throw FaultError(problem: "no octets after 'raw'", expected: #"them in quotes, such as "250 ok\r\n""#)
        }
        let octets = try Self.octets(of: quoted)
        guard case .word(let word) = tokens.first, word.lowercased() == "then" else { return .raw(octets) }
        tokens.removeFirst()
        let name = try nextWord(expected: "drop or reset after 'then'")
        guard let end = Fault.End(rawValue: name.lowercased()) else {
            throw FaultError(problem: "'\(name)' after 'then'", expected: "drop or reset")
        }
        return .raw(octets, then: end)
    }

    private mutating func schedule(named name: String) throws(FaultError) -> Fault.When {
        switch name.lowercased() {
        case "always": return .always
        case "nth": return .nth(try count(after: name))
        case "first": return .first(try count(after: name))
        case "every": return .every(try count(after: name))
        case "odds":
            let word = try nextWord(expected: "a number such as 0.3 after 'odds'")
            guard let odds = Double(word) else {
                throw FaultError(problem: "the odds '\(word)'", expected: "a number above 0 and at most 1, such as 0.3")
            }
            return .odds(odds)
        default: throw FaultError(problem: "unexpected '\(name)'", expected: Self.rest)
        }
    }

    private mutating func count(after name: String) throws(FaultError) -> Int {
        let word = try nextWord(expected: "a whole number from 1 after '\(name)'")
        guard let count = Int(word) else {
            throw FaultError(problem: "the count '\(word)' after '\(name)'", expected: "a whole number from 1")
        }
        return count
    }

    private func duration(_ word: String) throws(FaultError) -> Duration {
        do {
            return try WrittenTime(parsing: word).duration
        } catch {
            throw FaultError(problem: "the time '\(word)'", expected: WrittenTime.ParsingError.expected)
        }
    }

    private mutating func nextWord(expected: String) throws(FaultError) -> String {
        switch tokens.popFirst() {
        case .word(let word): return word
        case .quoted(let text): throw FaultError(problem: "unexpected text \"\(text)\"", expected: expected)
        case nil: throw FaultError(problem: "the text ends too early", expected: expected)
        }
    }

    private static func tokens(in text: Substring) throws(FaultError) -> [Token] {
        var tokens: [Token] = []
        var rest = text.drop(while: \.isWhitespace)
        while let first = rest.first {
            if first == "\"" {
                tokens.append(.quoted(try quotedText(&rest)))
            } else {
                let word = rest.prefix { !$0.isWhitespace && $0 != "\"" }
                tokens.append(.word(String(word)))
                rest = rest[word.endIndex...]
            }
            rest = rest.drop(while: \.isWhitespace)
        }
        return tokens
    }

    /// Removes a quoted text, including its quotes, from the front of `rest`. Its escapes stay unchanged.
    private static func quotedText(_ rest: inout Substring) throws(FaultError) -> String {
        var result = ""
        rest.removeFirst()
        while let character = rest.popFirst() {
            if character == "\"" { return result }
            result.append(character)
            if character == "\\", let escaped = rest.popFirst() { result.append(escaped) }
        }
        throw FaultError(problem: "the text has no closing quote", expected: "\"TEXT\"")
    }

    /// The text of a reply.
    private static func text(of quoted: String) throws(FaultError) -> String {
        var result = ""
        var rest = Substring(quoted)
        while let character = rest.popFirst() {
            guard character == "\\" else {
                result.append(character)
                continue
            }
            switch rest.popFirst() {
            case "n": result.append("\n")
            case "\"": result.append("\"")
            case "\\": result.append("\\")
            case let other: throw unknownEscape(other, expected: "\\n, \\\" or \\\\")
            }
        }
        return result
    }

    /// The octets that `raw` sends.
    private static func octets(of quoted: String) throws(FaultError) -> [UInt8] {
        var result: [UInt8] = []
        var rest = Substring(quoted)
        while let character = rest.popFirst() {
            guard character == "\\" else {
                result += String(character).utf8
                continue
            }
            switch rest.popFirst() {
            case "n": result.append(0x0A)
            case "r": result.append(0x0D)
            case "\"": result.append(UInt8(ascii: "\""))
            case "\\": result.append(UInt8(ascii: "\\"))
            case "x":
                let digits = rest.prefix(2)
                guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit), let octet = UInt8(digits, radix: 16)
                else {
                    throw FaultError(
                        problem: "the escape '\\x\(digits)' in the octets",
                        expected: "two digits, as in \\x1B"
                    )
                }
                result.append(octet)
                rest = rest.dropFirst(2)
            case let other: throw unknownEscape(other, expected: "\\r, \\n, \\xHH, \\\" or \\\\")
            }
        }
        return result
    }

    private static func unknownEscape(_ character: Character?, expected: String) -> FaultError {
        FaultError(problem: "the escape '\\\(character.map(String.init) ?? "")' in the text", expected: expected)
    }
}
