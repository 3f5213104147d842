// One part's body, as far as it is the same for every message of a shape. Writes no header but its own encoding.

import Foundation

/// A body whose fixed lines are encoded already. Only lines with a message's own texts are encoded for each message.
///
/// Quoted-printable and the line ends of MIME start anew with every line, so encoding line by line gives what encoding
/// the whole gives.
struct BodySkeleton: Sendable {
    private enum Part {
        case fixed(normalized: [UInt8], quotedPrintable: [UInt8])
        case filled(Skeleton)
    }

    private let parts: [Part]
    private let fixedLength: Int
    private let escapesHTML: Bool

    init(_ skeleton: Skeleton, escapingHTML: Bool) {
        var parts: [Part] = []
        var pending: [UInt8] = []
        func encodePending() {
            guard !pending.isEmpty else { return }
            var normalized: [UInt8] = []
            TransferEncoding.appendNormalized(pending, to: &normalized)
            var encoded: [UInt8] = []
            _ = TransferEncoding.appendQuotedPrintable(normalized[...], to: &encoded)
            parts.append(.fixed(normalized: normalized, quotedPrintable: encoded))
            pending = []
        }
        for line in skeleton.lines {
            if let fixed = line.fixed {
                pending += fixed
            } else {
                encodePending()
                parts.append(.filled(line))
            }
        }
        encodePending()
        self.parts = parts
        fixedLength = parts.reduce(0) { length, part in
            if case .fixed(let normalized, _) = part { length + normalized.count } else { length }
        }
        escapesHTML = escapingHTML
    }

    /// Appends the field Content-Transfer-Encoding, the empty line that ends the part's header, and the body in
    /// quoted-printable or base64, whichever is shorter. Line breaks of every kind become CRLF.
    func append(_ texts: [String], to bytes: inout [UInt8]) {
        // All filled lines, one after the other, and where each ends.
        var filled: [UInt8] = []
        var ends: [Int] = []
        var line: [UInt8] = []
        for case .filled(let skeleton) in parts {
            line.removeAll(keepingCapacity: true)
            skeleton.append(texts, escapingHTML: escapesHTML, to: &line)
            TransferEncoding.appendNormalized(line, to: &filled)
            ends.append(filled.count)
        }

        bytes += "Content-Transfer-Encoding: ".utf8
        let mark = bytes.count
        bytes += "quoted-printable\r\n\r\n".utf8
        let limit = bytes.count + TransferEncoding.base64Length(of: fixedLength + filled.count)
        let isShorter = forEachPart(ends) { part, range in
            if case .fixed(_, let encoded) = part {
                bytes += encoded
                return bytes.count <= limit
            }
            return TransferEncoding.appendQuotedPrintable(filled[range], limit: limit, to: &bytes)
        }
        if isShorter { return }

        bytes.removeSubrange(mark...)
        bytes += "base64\r\n\r\n".utf8
        var body: [UInt8] = []
        body.reserveCapacity(fixedLength + filled.count)
        _ = forEachPart(ends) { part, range in
            if case .fixed(let normalized, _) = part { body += normalized } else { body += filled[range] }
            return true
        }
        TransferEncoding.appendBase64(body, to: &bytes)
    }

    /// - Parameter body: is given a part, and the range of its filled line; returns whether to go on.
    /// - Returns: whether all parts were gone through.
    private func forEachPart(_ ends: [Int], _ body: (Part, Range<Int>) -> Bool) -> Bool {
        var next = 0
        for part in parts {
            var range = 0..<0
            if case .filled = part {
                range = (next == 0 ? 0 : ends[next - 1])..<ends[next]
                next += 1
            }
            guard body(part, range) else { return false }
        }
        return true
    }
}
