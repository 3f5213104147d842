// The parts of a mail (RFC 2046 §5.1), as deep as reports nest them. Never looks into a returned mail.

import InternetMessage

/// A part without parts of its own, or an enclosed mail.
struct MailPart {
    let header: HeaderFields
    let contentType: ContentType
    private let body: MailLines

    init(header: HeaderFields, body: MailLines) {
        self.header = header
        self.body = body
        contentType = ContentType(header["content-type"])
    }

    /// Its octets, decoded.
    var octets: [UInt8] { TransferDecoding.decoded(body, encoding: header["content-transfer-encoding"]) }

    /// Its decoded lines; the undecoded ones if decoding leaves no header field.
    var lines: MailLines {
        let decoded = MailLines(octets)
        return decoded.blocks.isEmpty && !body.blocks.isEmpty ? body : decoded
    }

    /// The text of a part for people; `nil` for other parts. For HTML, the text that a person would read.
    var text: String? {
        guard contentType.mediaType.hasPrefix("text/"), !isReturnedMail else { return nil }
        let text = Charset.text(Array(octets.prefix(Self.textLimit)), in: contentType["charset"])
        return isHTML ? text.withoutTags : text
    }

    var isHTML: Bool { contentType.mediaType == "text/html" }

    /// Whether the part is the mail that a report is about, or its header (RFC 6522 §3).
    var isReturnedMail: Bool { Self.returnedTypes.contains(contentType.mediaType) }

    private static let returnedTypes = [
        "message/rfc822", "message/rfc822-headers", "text/rfc822-headers", "text/rfc822", "message/global",
        "message/global-headers", "message/partial",
    ]
    /// Size limit in octets: a mail system's explanation takes a few kilobytes.
    private static let textLimit = 1 << 16

    /// Nesting limit: reports use at most three multiparts.
    private static let depthLimit = 6
    private static let countLimit = 100

    /// The parts of a mail, in order.
    ///
    /// A multipart whose boundary is missing or never occurs is one part.
    /// - Throws: `ReportError.malformed` if there are more parts than any report has.
    static func parts(of header: HeaderFields, _ body: MailLines) throws(ReportError) -> [MailPart] {
        var parts: [MailPart] = []
        try collect(MailPart(header: header, body: body), depth: 0, into: &parts)
        return parts
    }

    private static func collect(_ part: MailPart, depth: Int, into parts: inout [MailPart]) throws(ReportError) {
        if depth < depthLimit, let report = part.enclosedReport {
            try collect(report, depth: depth + 1, into: &parts)
            return
        }
        guard depth < depthLimit, part.contentType.mediaType.hasPrefix("multipart/"),
            let boundary = part.contentType["boundary"], !boundary.isEmpty
        else {
            guard parts.count < countLimit else { throw .malformed("it has more than \(countLimit) parts") }
            parts.append(part)
            return
        }
        let inner = try part.split(at: boundary)
        if inner.isEmpty { parts.append(part) }
        for part in inner { try collect(part, depth: depth + 1, into: &parts) }
    }

    /// The report in an enclosed mail, as a gateway forwards it. We send no reports ourselves, so an enclosed report is
    /// not a returned mail of ours.
    private var enclosedReport: MailPart? {
        guard contentType.mediaType == "message/rfc822" else { return nil }
        var body = MailLines(octets)
        let header = body.takeHeader()
        return ContentType(header["content-type"]).mediaType == "multipart/report"
            ? MailPart(header: header, body: body) : nil
    }

    private func split(at boundary: String) throws(ReportError) -> [MailPart] {
        let delimiter = Array("--\(boundary)".utf8)
        let end = delimiter + Array("--".utf8)
        var parts: [MailPart] = []
        var start: Int?
        let lines = body.lines
        func close(at index: Int) {
            guard let start else { return }
            var content = MailLines(lines[start..<index])
            let header = content.takeHeader()
            parts.append(MailPart(header: header, body: content))
        }
        for index in lines.indices where lines[index].starts(with: delimiter) {
            let line = lines[index].trimmedAtEnd
            guard line.elementsEqual(delimiter) || line.elementsEqual(end) else { continue }
            close(at: index)
            guard parts.count <= Self.countLimit else { throw .malformed("it has more than \(Self.countLimit) parts") }
            start = line.elementsEqual(end) ? nil : index + 1
            if start == nil { break }
        }
        // Some mail systems cut a long report off before its last boundary.
        close(at: lines.endIndex)
        return parts
    }
}

extension ArraySlice<UInt8> {
    fileprivate var trimmedAtEnd: ArraySlice<UInt8> {
        var line = self
        while line.last == UInt8(ascii: " ") || line.last == UInt8(ascii: "\t") { line.removeLast() }
        return line
    }
}

extension String {
    /// The text that remains of HTML for a reader: each tag becomes a line end, and the few named characters that mail
    /// systems use are decoded.
    fileprivate var withoutTags: String {
        var text = ""
        var rest = self[...]
        while let open = rest.firstIndex(of: "<") {
            text += rest[..<open]
            text.append("\n")
            guard let close = rest[open...].firstIndex(of: ">") else { return text }
            let isStyle = rest[open...].dropFirst().prefix(5).lowercased() == "style"
            rest = rest[rest.index(after: close)...]
            // A style sheet is not text; it ends at the next tag.
            if isStyle { rest = rest[(rest.firstIndex(of: "<") ?? rest.endIndex)...] }
        }
        text += rest
        return text.replacing("&nbsp;", with: " ").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
            .replacing("&quot;", with: "\"").replacing("&#39;", with: "'").replacing("&amp;", with: "&")
    }
}
