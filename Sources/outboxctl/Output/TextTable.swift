// Columns of text for a terminal. Knows nothing of what they hold.

enum TextTable {
    /// Rows under a header, each column as wide as its widest cell; the last column is as long as it is.
    static func text(header: [String], rows: [[String]]) -> String {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return ([header] + rows).map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : cell.padded(to: widths[column])
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

extension String {
    /// The text with spaces behind it.
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
