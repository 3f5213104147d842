// Where the outbox is, as the configuration says it. Never looks at the file.

/// The SQLite file with the outbox: `database`.
package struct DatabaseSettings: Sendable, Equatable {
    /// Absolute path of the file; a symbolic link is followed when it is opened.
    package var path: String
    /// Whether outboxd makes the file at start where there is none. Without it a file system that is not mounted yet is
    /// noticed, instead of being covered by an empty outbox under its mount point.
    package var create: Bool

    /// Settings for a file that must be there, unless `create` says otherwise.
    package init(path: String, create: Bool = false) {
        self.path = path
        self.create = create
    }
}
