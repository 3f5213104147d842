// The secret of a message. Never prints itself: neither interpolation, reflection nor dump shows its value.

/// The secret in a mail's link. It is only ever mailed, so every description of it is `<token>`.
package struct Token: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The secret itself. Only the rendering of a mail may read it.
    package let secret: String

    /// - Parameter secret: the value that the application stored; the schema refuses an empty one and control
    ///   characters.
    package init(_ secret: String) {
        self.secret = secret
    }

    package var description: String { "<token>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
