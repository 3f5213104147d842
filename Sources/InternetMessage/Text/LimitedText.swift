// The one way in which a stranger's text is cut. Never cuts inside of a Unicode scalar.

extension String {
    /// At most so many Unicode scalars of it.
    ///
    /// Not so many characters: a character may have any number of combining marks, so that 1,000 of them can be a
    /// megabyte.
    package func limited(to count: Int) -> String {
        // No text has more scalars than octets, and counting those costs nothing.
        utf8.count <= count ? self : String(unicodeScalars.prefix(count))
    }
}
