// Writes accepted mail to a folder as .eml files. Never overwrites a file, never leaves the folder.

import Foundation

/// A folder of accepted mail: `000001-ann@example.com.eml` holds the exact octets of the first mail.
struct MailStore: Sendable {
    private let folder: URL
    /// The highest number of an existing file; numbering continues after it.
    let lastSequence: Int

    /// Opens the folder; creates it if it is missing (readable only by its owner, because mails can contain secrets).
    init(folder: URL) throws {
        try FileManager.default.createDirectory(
            at: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        self.folder = folder
        lastSequence =
            try FileManager.default.contentsOfDirectory(atPath: folder.path)
            .compactMap { name in Int(name.prefix(while: \.isASCIIDigit)) }
            .max() ?? 0
    }

    /// Writes a mail completely or not at all, and returns the file's name. Blocks.
    func write(_ bytes: [UInt8], sequence: Int, recipient: String) throws -> String {
        let name = Self.fileName(sequence: sequence, recipient: recipient)
        let temporary = folder.appending(path: ".\(name).part")
        try Data(bytes).write(to: temporary, options: .withoutOverwriting)
        try FileManager.default.moveItem(at: temporary, to: folder.appending(path: name))
        return name
    }

    /// A file name that sorts by number and can't point outside the folder.
    static func fileName(sequence: Int, recipient: String) -> String {
        let digits = String(sequence)
        let padded = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
        let safe = recipient.unicodeScalars.prefix(100).map { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "@", ".", "_", "+", "=", "-": Character(scalar)
            default: Character("_")
            }
        }
        return "\(padded)-\(String(safe)).eml"
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
