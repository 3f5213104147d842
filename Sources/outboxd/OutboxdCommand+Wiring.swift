// Converts the configuration's values to those of transport and delivery. Never reads the configuration file.

import Logging
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import OutboxTokens
import ProgramSupport
import SMTPTransport

extension DeliveryRelay {
    /// The relay at the given index of the list `relays`, with its password or its OAuth client.
    ///
    /// - Throws: `ProgramFailure` if a secret can't be read.
    init(_ settings: RelaySettings, at index: Int, environment: [String: String]) throws {
        self.init(try SMTPRelay(settings, environment: environment), setting: settings.place(at: index))
    }

    /// All relays of the configuration, in order of preference.
    ///
    /// - Throws: `ProgramFailure` if a password can't be read.
    static func all(_ settings: Settings, environment: [String: String]) throws -> [DeliveryRelay] {
        try settings.relays.enumerated().map { index, relay in
            try DeliveryRelay(relay, at: index, environment: environment)
        }
    }
}

extension TokenRules {
    /// Reads the keys.
    ///
    /// - Parameter kinds: the kinds whose mails show the token.
    /// - Throws: `ProgramFailure` if a key can't be read, or is given twice.
    init(_ settings: TokenSettings?, kinds: Set<String>, environment: [String: String]) throws {
        guard let settings else {
            self.init(kinds: kinds)
            return
        }
        var keys: [TokenKey] = []
        for (name, source) in [("key", settings.key)] + settings.earlierKeys.map({ ("earlier_keys", $0) }) {
            do {
                let key = try TokenKey(base64: source.read(environment: environment, as: .tokenKey).revealed)
                if keys.contains(key) {
                    throw ProgramFailure.configuration("tokens.\(name): the key in \(source.place) is given twice")
                }
                keys.append(key)
            } catch let error as PasswordError {
                throw ProgramFailure.configuration("tokens.\(name): \(error)")
            } catch let error as InvalidTokenKey {
                throw ProgramFailure.configuration("tokens.\(name): the key in \(source.place) can't be used: \(error)")
            }
        }
        self.init(keys: keys, kinds: kinds, codes: settings.codes)
    }
}

extension DeliverySettings {
    init(_ settings: Settings) {
        self.init(
            envelopeSender: { [sender = settings.sender] envelopeID in sender.envelopeSender(for: envelopeID) },
            receivesReports: settings.sender.receivesReports,
            schedule: settings.schedule,
            rules: settings.rules,
            times: settings.times
        )
    }
}

extension Logger {
    /// Logs a problem of the database file, with the command that fixes it.
    func warn(of remark: FileRemark) {
        let message: Message =
            switch remark {
            case .everybodyReads:
                "every user of this machine can read the database and the tokens in it; remove that permission"
            case .groupLockedOut:
                "the database is writable for its group, this file beside it is not: applications are locked out"
            case .ownerLockedOut:
                "the database is writable for its owner, this file beside it is another user's: the owner is locked out"
            case .folderNotForGroup:
                "the database is writable for its group, its folder is not: applications or outboxd will be locked out"
            case .userSpaceFileSystem:
                "the database is on FUSE; that file system must support locks and shared memory like a disk"
            }
        var metadata: Metadata = ["path": "\(remark.path)"]
        if let command = remark.command { metadata["command"] = "\(command)" }
        warning(message, metadata: metadata)
    }
}
