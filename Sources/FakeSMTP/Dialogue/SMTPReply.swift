// An SMTP reply as a value, and its bytes. Never decides when to send it.

import NIOCore

/// A server's reply: code, enhanced status code (RFC 2034, RFC 3463) and one or more lines of text.
struct SMTPReply: Sendable, Equatable, Error {
    let code: Int
    let enhanced: String?
    let lines: [String]

    init(_ code: Int, _ enhanced: String? = nil, _ text: String) {
        self.init(code, enhanced, lines: [text])
    }

    init(_ code: Int, _ enhanced: String? = nil, lines: [String]) {
        self.code = code
        self.enhanced = enhanced
        self.lines = lines
    }

    /// A scripted reply. Without a text, it gets one that fits its class.
    init(code: Int, enhanced: String?, scriptedText: String?) {
        let text =
            switch (scriptedText, code) {
            case (let text?, _): text
            case (nil, 421): "Service not available, closing transmission channel"
            case (nil, 400..<500): "Temporary failure, try again later"
            case (nil, 500...): "Refused"
            default: "Ok"
            }
        self.init(
            code,
            enhanced,
            lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        )
    }

    /// 2xx and 3xx: the command is executed.
    var isPositive: Bool { code < 400 }

    /// RFC 5321 §3.8: after a 421 the server closes the connection.
    var closesConnection: Bool { code == 421 }

    /// The lines as they go over the wire, without CRLF (RFC 5321 §4.2.1; RFC 2034 §4 puts the enhanced code on each).
    var wireLines: [String] {
        lines.enumerated().map { index, line in
            let separator = index == lines.count - 1 ? " " : "-"
            return "\(code)\(separator)\(enhanced.map { "\($0) " } ?? "")\(line)"
        }
    }

    /// Appends the reply's bytes.
    func write(to buffer: inout ByteBuffer) {
        for line in wireLines {
            buffer.writeString(line)
            buffer.writeStaticString("\r\n")
        }
    }
}
