// Texts and their parts as octets of a mail. Encodes nothing.

extension [UInt8] {
    /// Appends a text in UTF-8, in one copy. `+= text.utf8` takes a generic way with twice as many instructions.
    package mutating func append(_ text: String) { append(text.utf8Span.span) }

    /// Appends octets in one copy.
    package mutating func append(_ octets: Span<UInt8>) {
        octets.withUnsafeBufferPointer { append(contentsOf: $0) }
    }
}
