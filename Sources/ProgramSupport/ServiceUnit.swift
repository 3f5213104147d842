// The user, credentials and sandbox that the installed systemd unit gives the service. Never runs systemctl: a check
// must work where systemd doesn't run.

import Foundation

/// The unit of outboxd with its drop-ins (systemd.unit(5)), as far as `--check` needs it.
package struct ServiceUnit: Sendable, Equatable {
    /// A line `LoadCredential=NAME:PATH`.
    package struct Credential: Sendable, Equatable {
        /// The credential's name in the service.
        package let name: String
        /// The source; not a path if it doesn't begin with a slash.
        package let source: String

        /// Creates a credential.
        package init(name: String, source: String) {
            self.name = name
            self.source = source
        }
    }

    /// `User=`; `nil`: root.
    package private(set) var user: String?
    /// `LoadCredential=`.
    package private(set) var credentials: [Credential] = []
    /// Names of credentials that can't be checked from outside: `LoadCredentialEncrypted=`, `SetCredential=`.
    package private(set) var opaqueCredentials: Set<String> = []
    /// `ProtectSystem=strict`.
    package private(set) var isReadOnly = false
    /// `ProtectHome=`, unless it is off.
    package private(set) var hidesHomes = false
    /// The writable folders: `ReadWritePaths=`, `StateDirectory=` and `CacheDirectory=`.
    package private(set) var writablePaths: [String] = []
    /// The folder that `CacheDirectory=` names first; systemd creates it.
    package private(set) var cacheFolder: String?

    /// The folders that systemd searches, most important first.
    package static let folders = [
        "/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
    ]

    /// The unit from its file and drop-ins in these folders; `nil` if there is no such file.
    package static func installed(in folders: [String] = folders) -> (unit: ServiceUnit, path: String)? {
        let files = folders.map { "\($0)/outboxd.service" }
        guard let path = files.first(where: { FileManager.default.isReadableFile(atPath: $0) }) else { return nil }
        var dropIns: [String: String] = [:]
        for folder in folders.reversed().map({ "\($0)/outboxd.service.d" }) {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            where name.hasSuffix(".conf") { dropIns[name] = "\(folder)/\(name)" }
        }
        let paths = [path] + dropIns.sorted { $0.key < $1.key }.map(\.value)
        let texts = paths.compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }
        return (ServiceUnit(texts: texts), path)
    }

    /// - Parameter texts: the unit's file and then its drop-ins, in the order in which systemd reads them.
    package init(texts: [String]) {
        for text in texts {
            var section = ""
            for line in text.replacing("\\\n", with: " ").split(separator: "\n") {
                let line = line.trimmingCharacters(in: .whitespaces)
                if line.hasPrefix("[") { section = line }
                guard section == "[Service]", !line.hasPrefix("#"), !line.hasPrefix(";"),
                    let equals = line.firstIndex(of: "=")
                else { continue }
                let value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
                take(line[..<equals].trimmingCharacters(in: .whitespaces), value)
            }
        }
    }

    private mutating func take(_ key: String, _ value: String) {
        let words = value.split(separator: " ").map(String.init)
        let name = value.prefix { $0 != ":" }
        switch key {
        case "User": user = value.isEmpty ? nil : value
        case "LoadCredential" where value.isEmpty: credentials = []
        case "LoadCredential":
            let source = value.dropFirst(name.count + 1)
            // A credential without a path is one that systemd itself was given.
            credentials.append(Credential(name: String(name), source: String(source)))
        case "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted":
            opaqueCredentials.insert(String(name))
        case "ProtectSystem": isReadOnly = value == "strict"
        case "ProtectHome": hidesHomes = !["", "no", "false", "off", "0"].contains(value)
        case "ReadWritePaths" where value.isEmpty: writablePaths = []
        case "ReadWritePaths":
            writablePaths += words.map { String($0.drop { $0 == "-" || $0 == "+" }) }
        case "CacheDirectory":
            let folders = words.map { "/var/cache/\($0.prefix { $0 != ":" })" }
            cacheFolder = cacheFolder ?? folders.first
            writablePaths += folders
        case "StateDirectory": writablePaths += words.map { "/var/lib/\($0.prefix { $0 != ":" })" }
        default: break
        }
    }

    /// Why the service could not use a folder that other processes can use; `nil` if it can.
    package func problem(of folder: String) -> String? {
        func isWithin(_ parent: String) -> Bool { folder == parent || folder.hasPrefix(parent + "/") }
        if hidesHomes, ["/home", "/root", "/run/user"].contains(where: isWithin) {
            return "the folder \(folder) is hidden from the service by ProtectHome= of its unit; keep the database "
                + "elsewhere, or systemctl edit outboxd and set ProtectHome=no and ReadWritePaths=-\(folder)"
        }
        if isReadOnly, !writablePaths.contains(where: isWithin) { return DatabasePlace.readOnly(folder) }
        return nil
    }
}
