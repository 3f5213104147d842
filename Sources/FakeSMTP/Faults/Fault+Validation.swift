// Rejects faults that make no sense when they are created. Knows nothing of a running server.

extension Fault {
    func validate() throws(FaultError) {
        try validateAction()
        try validateWhen()
        try validateRecipient()
    }

    private func validateAction() throws(FaultError) {
        switch action {
        case .reply(let code, let enhanced, let text):
            try validateReply(code: code, enhanced: enhanced, text: text)
        case .raw(let octets, _):
            guard (1...Self.mostOctets).contains(octets.count) else {
                throw FaultError(problem: "\(octets.count) octets to send", expected: "1 to \(Self.mostOctets) of them")
            }
        case .delay(let duration):
            guard duration >= .milliseconds(1), duration <= WrittenTime.longest,
                duration == .milliseconds(duration.wholeMilliseconds)
            else {
                throw FaultError(problem: "a delay of \(duration)", expected: "whole milliseconds from 1ms to 24h")
            }
        case .garbled:
            guard stage != .body else {
                throw FaultError(
                    problem: "no reply is due in the middle of the body, so none can be garbled",
                    expected: "another stage, such as finalDot"
                )
            }
        case .acceptDrop:
            guard stage == .finalDot else {
                throw FaultError(
                    problem: "no mail is complete at stage \(stage.rawValue), so accept-drop can't accept one",
                    expected: "stage finalDot"
                )
            }
        case .breakTLS:
            guard stage == .startTLS || stage == .connect else {
                throw FaultError(
                    problem: "no TLS handshake begins at stage \(stage.rawValue), so break-tls can't break one",
                    expected: "stage startTLS, or connect for implicit TLS"
                )
            }
        case .drop, .reset, .hang:
            break
        }
    }

    /// The most octets that `raw` may send.
    private static let mostOctets = 1_048_576

    private func validateReply(code: Int, enhanced: String?, text: String?) throws(FaultError) {
        if stage == .body, code != 421 {
            throw FaultError(
                problem: "reply \(code) in the middle of the body, where no reply is due",
                expected: "421, which closes the connection, or stage finalDot"
            )
        }
        guard (400...599).contains(code) || stage.positiveCodes?.contains(code) == true else {
            let positive = stage.positiveCodes.map { codes in
                codes.count == 1 ? " or \(codes.lowerBound)" : " or from \(codes.lowerBound) to \(codes.upperBound)"
            }
            throw FaultError(
                problem: "reply code \(code) at stage \(stage.rawValue)",
                expected: "a code from 400 to 599\(positive ?? "")"
            )
        }
        if let enhanced {
            try Self.validateEnhancedCode(enhanced, of: code)
        }
        if let text {
            guard !text.isEmpty,
                text.unicodeScalars.allSatisfy({ $0 == "\n" || $0.properties.generalCategory != .control })
            else {
                throw FaultError(
                    problem: "the reply's text is empty or has control characters",
                    expected: "printable text, with \\n between the lines of a reply"
                )
            }
        }
    }

    /// RFC 2034 §4: the first digit of the enhanced code is the first digit of the reply; RFC 3463 §2 gives its form.
    private static func validateEnhancedCode(_ enhanced: String, of code: Int) throws(FaultError) {
        let parts = enhanced.split(separator: ".", omittingEmptySubsequences: false)
        let isWellFormed =
            parts.count == 3
            && parts.allSatisfy { part in
                (1...3).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
            }
        guard isWellFormed, [2, 4, 5].contains(code / 100), parts[0] == "\(code / 100)" else {
            throw FaultError(
                problem: "enhanced status code \(enhanced) with reply \(code)",
                expected: code / 100 == 3 ? "none with a 3xx reply" : "three numbers such as \(code / 100).2.1"
            )
        }
    }

    private func validateWhen() throws(FaultError) {
        switch when {
        case .always:
            break
        case .nth(let count), .first(let count), .every(let count):
            guard count >= 1 else {
                throw FaultError(problem: "the count \(count)", expected: "a whole number from 1")
            }
        case .odds(let odds):
            guard odds > 0, odds <= 1 else {
                throw FaultError(problem: "odds of \(odds)", expected: "a number above 0 and at most 1, such as 0.3")
            }
        }
    }

    private func validateRecipient() throws(FaultError) {
        guard let recipient else { return }
        guard stage.knowsAddresses else {
            throw FaultError(
                problem: "no address is known at stage \(stage.rawValue), so a fault can't be for \(recipient)",
                expected: "stage mail, rcpt, data, body or finalDot"
            )
        }
        guard !recipient.isEmpty,
            !recipient.unicodeScalars.contains(where: { $0.properties.isWhitespace || $0 == "\"" })
        else {
            throw FaultError(problem: "the address '\(recipient)'", expected: "an address such as bob@example.com")
        }
    }
}
