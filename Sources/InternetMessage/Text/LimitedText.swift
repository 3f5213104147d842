// The only way to cut a text from outside. Never cuts within a Unicode scalar.

extension String {
    /// The first `count` Unicode scalars at most.
    ///
    /// The limit doesn't count characters: a character may have any number of combining marks, so 1,000 characters can
    /// be a megabyte.
    package func limited(to count: Int) -> String {
        // A text never has more scalars than octets, and counting octets costs nothing.
        utf8.count <= count ? self : String(unicodeScalars.prefix(count))
    }
}
