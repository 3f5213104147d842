// The place of a password or another secret, and the code that reads it.
// Never keeps the secret, never puts it into an error.

/// A key of the configuration whose value is the place of a secret.
package enum SecretKey: String, Sendable, CaseIterable {
    case password
    case clientSecret = "client_secret"
    case refreshToken = "refresh_token"
    /// A key of `tokens`.
    case tokenKey = "key"

    /// The secret in words.
    var words: String {
        switch self {
        case .password, .clientSecret, .refreshToken: rawValue.replacing("_", with: " ")
        case .tokenKey: "token key"
        }
    }

    /// The credential's name in examples.
    var credential: String {
        switch self {
        case .password, .clientSecret, .refreshToken: "smtp-\(rawValue.replacing("_", with: "-"))"
        case .tokenKey: "token-key"
        }
    }
}

/// The place of a relay's password, or of another secret.
package enum PasswordSource: Sendable, Equatable {
    /// A file that contains only the password; an absolute path.
    case file(String)
    /// A credential that systemd passes to the service (`LoadCredential=`, systemd.exec(5)).
    case credential(String)

    /// The environment variable with systemd's folder of credentials.
    package static let credentialsVariable = "CREDENTIALS_DIRECTORY"
    /// The longest secret, in bytes, including its line end. RFC 4954 §4 allows AUTH some 9,000 before base64.
    package static let sizeLimit = 4096

    /// Whether systemd passes it.
    package var isCredential: Bool { if case .credential = self { true } else { false } }

    /// The place in short form for a log: `file /path` or `credential NAME`.
    package var place: String {
        switch self {
        case .file(let path): "file \(path)"
        case .credential(let name):
            // A name that systemd would not accept may be a misplaced password.
            (try? Self.checkedCredentialName(name)).map { "credential \($0)" } ?? "credential"
        }
    }

    /// Reads the secret and drops one line end behind it.
    ///
    /// - Parameters:
    ///   - environment: the process's environment; a credential is looked up in `$CREDENTIALS_DIRECTORY`.
    ///   - key: the secret's key, for errors.
    /// - Throws: `PasswordError` when there is none, when others could read its file, when it is empty, too long, or
    ///   not one line of UTF-8 text.
    package func read(
        environment: [String: String],
        as key: SecretKey = .password
    ) throws(PasswordError) -> RelayPassword {
        let path = try path(environment: environment, key)
        let contents: FileContents
        do {
            contents = try FileContents.read(path, limit: Self.sizeLimit, regularOnly: true)
        } catch {
            throw unreadable(path, error, key)
        }
        // Other users can't open systemd's folder of credentials, whatever the mode of the files in it.
        if case .file = self, contents.mode & 0o004 != 0 {
            throw PasswordError(
                description: "the \(key.words) file \(path) can be read by every user of this machine; "
                    + "run: chmod 640 \(path)"
            )
        }
        return RelayPassword(try Self.line(contents.bytes, path: path, key))
    }

    /// Returns the name if systemd would accept it: a file name without a folder, printable ASCII without a colon, at
    /// most 255 characters.
    static func checkedCredentialName(_ name: String) throws(InvalidSetting) -> String {
        let isPrintable = name.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: ":") }
        guard (1...255).contains(name.utf8.count), isPrintable, !name.contains("/"), name != ".", name != ".." else {
            throw .expected("the name of a systemd credential such as smtp-password, without /")
        }
        return name
    }

    private func path(environment: [String: String], _ key: SecretKey) throws(PasswordError) -> String {
        switch self {
        case .file(let path):
            return path
        case .credential(let name):
            // The name itself is not shown, because it may be a misplaced password.
            guard (try? Self.checkedCredentialName(name)) != nil else {
                throw PasswordError(
                    description: "the credential's name is not one that systemd takes; "
                        + "use a name such as \(key.credential), without /"
                )
            }
            guard let folder = environment[Self.credentialsVariable], !folder.isEmpty else {
                throw PasswordError(
                    description: "the credential \(name) is not available, because "
                        + "\(Self.credentialsVariable) is not set; add LoadCredential=\(name):PATH to the unit and "
                        + "start outboxd with systemd, or use \(key.rawValue): {file: PATH}"
                )
            }
            return "\(folder)/\(name)"
        }
    }

    private func unreadable(
        _ path: String,
        _ failure: FileContents.Failure,
        _ key: SecretKey
    ) -> PasswordError {
        let reason =
            switch failure {
            case .missing:
                switch self {
                case .file: "there is no such file; create it with the \(key.words) as its only line"
                case .credential(let name): "there is no such credential; add LoadCredential=\(name):PATH to the unit"
                }
            case .denied: "permission is denied; let the user that runs outboxd read it"
            case .notAFile: "it is not a regular file; name a file with the \(key.words) as its only line"
            case .tooLarge(let limit): "it is longer than \(limit) bytes; the \(key.words) must be its only line"
            case .system(let words): words
            }
        return PasswordError(description: "the \(key.words) cannot be read from \(path): \(reason)")
    }

    private static func line(
        _ bytes: [UInt8],
        path: String,
        _ key: SecretKey
    ) throws(PasswordError) -> String {
        var line = bytes[...]
        if line.last == UInt8(ascii: "\n") {
            line.removeLast()
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
        }
        guard !line.isEmpty else {
            throw PasswordError(description: "the \(key.words) in \(path) is empty; write it there as the only line")
        }
        guard let text = String(validating: line, as: UTF8.self) else {
            throw PasswordError(description: "the \(key.words) in \(path) is not UTF-8 text; write it again")
        }
        guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw PasswordError(
                description: "the \(key.words) in \(path) contains a control character; it must be the only line, "
                    + "without tabs"
            )
        }
        return text
    }
}
