// Converts the configuration's values to those of transport and delivery. Never reads the configuration file.

import Logging
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import ProgramSupport
import SMTPTransport

extension DeliveryRelay {
    /// The relay at the given index of the list `relays`, with its password.
    ///
    /// - Throws: `ProgramFailure` if the password can't be read.
    init(_ settings: RelaySettings, at index: Int, environment: [String: String]) throws {
        let place = settings.credentials.map { " (\($0.password.place))" } ?? ""
        var relay = SMTPRelay(settings.configuration)
        do {
            relay.credentials = try settings.credentials.map { credentials in
                let password = try credentials.password.read(environment: environment)
                return SMTPCredentials(user: credentials.user, password: password.revealed)
            }
        } catch {
            throw ProgramFailure.configuration("relay \(settings.configuration.name): \(error)")
        }
        self.init(relay, setting: "relays[\(index)]\(place)")
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

extension DeliverySettings {
    init(_ settings: Settings) {
        self.init(
            envelopeSender: { [sender = settings.sender] envelopeID in
                sender.envelopeFrom?.address(for: envelopeID) ?? sender.address
            },
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
