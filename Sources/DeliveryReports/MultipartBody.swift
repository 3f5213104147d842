// The parts of a multipart body (RFC 2046 §5.1.1), one level deep. Never looks into a part.

/// Splits a body at its boundary.
struct MultipartBody {
    /// One part, its header taken off.
    struct Part {
        let header: HeaderFields
        let body: MailLines

        var contentType: ContentType { ContentType(header["content-type"]) }
    }

    let parts: [Part]

    /// A report has three parts (RFC 6522 §3).
    private static let limit = 20

    init(_ body: MailLines, boundary: String) throws(ReportError) {
        // RFC 2046 §5.1.1: 1 to 70 characters.
        guard (1...70).contains(boundary.utf8.count) else {
            throw .malformed("its boundary is not 1 to 70 characters long")
        }
        let delimiter = Array("--\(boundary)".utf8)
        let end = delimiter + Array("--".utf8)
        var parts: [Part] = []
        var start: Int?
        let lines = body.lines
        func close(at index: Int) {
            guard let start else { return }
            var content = MailLines(lines[start..<index])
            let header = content.takeHeader()
            parts.append(Part(header: header, body: content))
        }
        for index in lines.indices where lines[index].starts(with: delimiter) {
            let line = lines[index].trimmedAtEnd
            guard line.elementsEqual(delimiter) || line.elementsEqual(end) else { continue }
            close(at: index)
            guard parts.count <= Self.limit else { throw .malformed("it has more than \(Self.limit) parts") }
            start = line.elementsEqual(end) ? nil : index + 1
            if start == nil { break }
        }
        // Some mail systems cut a long report off before its last boundary.
        close(at: lines.endIndex)
        self.parts = parts
    }
}

extension ArraySlice<UInt8> {
    fileprivate var trimmedAtEnd: ArraySlice<UInt8> {
        var line = self
        while line.last == UInt8(ascii: " ") || line.last == UInt8(ascii: "\t") { line.removeLast() }
        return line
    }
}
