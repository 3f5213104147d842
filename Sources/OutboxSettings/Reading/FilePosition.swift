// A place in the text of the configuration file.

import Yams

/// Line and column, both from 1; columns count Unicode scalars.
struct FilePosition {
    var line: Int
    var column: Int
}

extension FilePosition {
    /// Where YAML begins a node; nil when YAML gives no position.
    init?(_ mark: Mark?) {
        guard let mark else { return nil }
        self.init(line: mark.line, column: mark.column)
    }
}
