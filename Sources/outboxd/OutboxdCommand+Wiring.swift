// Turns the configuration's values into those of transport and delivery. Never reads the configuration file.

import Logging
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import ProgramSupport
import SMTPTransport

extension SMTPRelay {
    /// The relay that the configuration describes, with its password read.
    ///
    /// - Throws: `ProgramFailure` where the password can't be read.
    init(_ settings: RelaySettings, environment: [String: String]) throws {
        self.init(
            name: settings.name,
            url: settings.endpoint.url,
            tls: TLSPolicy(settings.tls),
            caFile: settings.caFile,
            authentication: settings.authentication.map { AuthenticationMechanism($0) },
            helo: settings.helo,
            connectTimeout: settings.connectTimeout,
            replyTimeout: settings.replyTimeout,
            finalDotTimeout: settings.finalDotTimeout,
            messagesPerConnection: settings.messagesPerConnection,
            idle: settings.idle
        )
        guard let credentials = settings.credentials else { return }
        do {
            let password = try credentials.password.read(environment: environment)
            self.credentials = SMTPCredentials(user: credentials.user, password: password.revealed)
        } catch {
            throw ProgramFailure.configuration("relay \(settings.name): \(error)")
        }
    }
}

extension DeliveryRelay {
    /// The relay at the given place of the list `relays`.
    ///
    /// - Throws: `ProgramFailure` where its password can't be read.
    init(_ settings: RelaySettings, at index: Int, environment: [String: String]) throws {
        let password = settings.credentials.map { " (\($0.password.place))" } ?? ""
        self.init(
            try SMTPRelay(settings, environment: environment),
            setting: "relays[\(index)]\(password)",
            connections: settings.connections,
            rate: settings.rate,
            suspectAfter: settings.suspectAfter
        )
    }

    /// All relays of the configuration, in order of preference.
    ///
    /// - Throws: `ProgramFailure` where a password can't be read.
    static func all(_ settings: Settings, environment: [String: String]) throws -> [DeliveryRelay] {
        try settings.relays.enumerated().map { index, relay in
            try DeliveryRelay(relay, at: index, environment: environment)
        }
    }
}

extension TLSPolicy {
    init(_ settings: RelayTLS) {
        switch settings {
        case .required: self = .required
        case .opportunistic: self = .opportunistic
        case .none: self = .none
        }
    }
}

extension AuthenticationMechanism {
    init(_ settings: RelayAuthentication) {
        switch settings {
        case .plain: self = .plain
        case .login: self = .login
        case .cramMD5: self = .cramMD5
        case .digestMD5: self = .digestMD5
        case .ntlm: self = .ntlm
        case .gssapi: self = .gssapi
        }
    }
}

extension DeliverySettings {
    init(_ settings: Settings) {
        self.init(
            envelopeSender: { [sender = settings.sender] envelopeID in
                sender.envelopeFrom?.address(for: envelopeID) ?? sender.address
            },
            schedule: RetrySchedule(
                delays: settings.retry.delays,
                jitter: settings.retry.jitter,
                giveUpAfter: settings.giveUpAfter
            ),
            rules: DeliveryRules(
                limits: ResendLimits(
                    minimumInterval: settings.limits.minimumInterval,
                    perHour: settings.limits.perHour
                ),
                keepOlder: settings.keepOlder,
                suppression: settings.suppression.duration
            ),
            lease: settings.lease,
            pollInterval: settings.pollInterval,
            retention: settings.retention,
            shutdownGrace: settings.shutdownGrace
        )
    }
}

extension Guidance {
    init(_ settings: GuidanceSettings) {
        self.init(patience: settings.patience, resends: settings.resends, window: settings.window)
    }
}

extension Logger {
    /// Tells an operator what is odd about the database's file, with the command that mends it.
    func warn(of remark: FileRemark) {
        let message: Message =
            switch remark {
            case .everybodyReads:
                "every user of this machine can read the database and the tokens in it; take that right away"
            case .groupLockedOut:
                "the database is its group's to write, this file beside it is not: applications are locked out"
            case .ownerLockedOut:
                "the database is its owner's to write, this file beside it is somebody else's: the owner is locked out"
            case .folderNotForGroup:
                "the database is its group's to write, its folder is not: applications or outboxd will be locked out"
            case .userSpaceFileSystem:
                "the database's file system is a program (FUSE), which must lock files and share memory as a disk does"
            }
        var metadata: Metadata = ["path": "\(remark.path)"]
        if let command = remark.command { metadata["command"] = "\(command)" }
        warning(message, metadata: metadata)
    }
}
