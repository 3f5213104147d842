// Lines of a mail (RFC 5322 §2.1). Never decodes a value, never recurses.

/// The lines of a mail or of a part, without line ends, which may be CRLF, LF or CR alone.
package struct MailLines {
    /// One line without its end.
    package typealias Line = ArraySlice<UInt8>

    /// The remaining lines.
    package private(set) var lines: ArraySlice<Line>

    /// - Parameter bytes: a mail in the form that a mail system passes to a program, perhaps preceded by blank lines or
    ///   a "From " line.
    package init(_ bytes: [UInt8]) {
        // A mail without any LF comes from a system that ends lines with CR.
        let hasLF = bytes.contains(UInt8(ascii: "\n"))
        let end = UInt8(ascii: hasLF ? "\n" : "\r")
        var lines = bytes.split(separator: end, omittingEmptySubsequences: false).map { line in
            line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        }
        // Leading blank lines can only precede a header, because every mail has one.
        lines.removeFirst(lines.prefix { $0.isBlank }.count)
        if lines.first?.starts(with: Array("From ".utf8)) == true { lines.removeFirst() }
        self.lines = lines[...]
    }

    /// Some lines of a mail.
    package init(_ lines: ArraySlice<Line>) { self.lines = lines }

    /// Removes and returns the header; the body is left.
    package mutating func takeHeader() -> HeaderFields {
        let end = lines.firstIndex { $0.isEmpty } ?? lines.endIndex
        let header = HeaderFields(lines[..<end])
        lines = lines[end...].dropFirst()
        return header
    }

    /// The blocks between empty lines, each parsed as header fields; blocks without a field are left out.
    package var blocks: [HeaderFields] {
        lines.split { $0.isBlank }.map { HeaderFields($0) }.filter { !$0.isEmpty }
    }

    /// The original lines, with LF line ends.
    package var bytes: [UInt8] { Array(lines.joined(separator: [UInt8(ascii: "\n")])) }
}

extension MailLines.Line {
    /// The line contains only white space.
    package var isBlank: Bool { allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }
}
