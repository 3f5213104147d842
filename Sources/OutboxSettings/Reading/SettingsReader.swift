// Reads the whole configuration: the only place that knows all keys and their permitted values.
// Never opens the files and relays that the configuration names.

import Logging
import OutboxCore

extension SettingReader where Value == Settings {
    /// The top level of the file.
    static var settings: SettingReader {
        mapping(expected: "a mapping with the keys database, sender, links and relays") { keys in
            let database = keys.required(
                "database",
                .database,
                missing: "the path of the SQLite file that holds the outbox"
            )
            let sender = keys.required(
                "sender",
                .sender,
                missing: "the sender, such as {name: Example, address: no-reply@example.com}"
            )
            let templates = keys.optional("templates", .path(expected: "the path of the folder with the templates"))
            let links = keys.required(
                "links",
                .links,
                missing: "a line for each kind of mail, with the URL that its link leads to"
            )
            let relays = keys.required("relays", .relays, missing: "a list with at least one relay")

            var settings = Settings(
                database: database ?? DatabaseSettings(path: ""),
                sender: sender ?? SenderSettings(address: ""),
                links: links ?? [:],
                relays: relays ?? []
            )
            settings.templates = templates
            settings.mail = keys.mailOptions()
            settings.mail.replyTo = settings.sender.replyTo
            settings.mail.company = settings.sender.company
            if keys.has("brand"), settings.mail.logo != nil, settings.sender.name == nil {
                keys.report("brand", "logo needs sender.name, which people read who don't see the picture; set it")
            }
            settings.rules.limits = keys.optional("limits", .limits) ?? settings.rules.limits
            settings.rules.keepOlder = keys.optional("keep_older", .kinds(in: links), default: settings.rules.keepOlder)
            settings.tokens = keys.optional("tokens", .tokens(links))
            settings.guidance = keys.optional("guidance", .guidance, default: settings.guidance)
            settings.rules.suppression = keys.optional("suppression", .suppression, default: settings.rules.suppression)
            settings.schedule = keys.optional("retry", .retry, default: settings.schedule)
            let giveUpAfter = keys.optional(
                "give_up_after",
                .duration(.seconds(60)...(.seconds(30 * 86_400))),
                default: settings.schedule.giveUpAfter
            )
            settings.schedule.giveUpAfter = giveUpAfter
            settings.rules.giveUpAfter = giveUpAfter
            settings.times.lease = keys.optional(
                "lease",
                // A claim may wait 5 s for another program's write lock, and so may the renewal of its lease.
                .duration(.seconds(10)...(.seconds(86_400))),
                default: settings.times.lease
            )
            settings.times.pollInterval = keys.optional(
                "poll_interval",
                .duration(.milliseconds(10)...(.seconds(3600))),
                default: settings.times.pollInterval
            )
            settings.times.retention = keys.optional(
                "retention",
                .durationOrNone(.seconds(3600)...(.seconds(3650 * 86_400))),
                default: settings.times.retention
            )
            if keys.has("retention"), let retention = settings.times.retention, retention < settings.guidance.window {
                keys.report(
                    "retention",
                    "\(retention.settingText) is shorter than guidance.window (\(settings.guidance.window.settingText)), so "
                        + "requests would be forgotten that the advice counts; raise retention, or lower guidance.window"
                )
            }
            settings.times.shutdownGrace = keys.optional(
                "shutdown_grace",
                .duration(.zero...(.seconds(600))),
                default: settings.times.shutdownGrace
            )
            settings.logLevel = keys.optional("log", .logLevel, default: settings.logLevel)
            return settings
        }
    }
}

extension SettingReader where Value == DatabaseSettings {
    /// `database`: a path, or a mapping with the path and further keys.
    static var database: SettingReader {
        let path = SettingReader<String>.path(expected: "the path of the database")
        let bare = path.map { (path: String) throws(InvalidSetting) in DatabaseSettings(path: path) }
        let whole = mapping(expected: "the path of the database, or a mapping with the keys path and create") { keys in
            let path = keys.required("path", path, missing: "the path of the SQLite file that holds the outbox")
            let create = keys.optional("create", .boolean, default: false)
            return path.map { DatabaseSettings(path: $0, create: create) }
        }
        return .either(mapping: whole, else: bare)
    }
}

extension SettingReader where Value == SenderSettings {
    /// `sender`.
    static var sender: SettingReader {
        mapping(expected: "a mapping with the keys address, name, envelope_from, reply_to and company") { keys in
            let address = keys.required(
                "address",
                .text(expected: "an e-mail address").map(SenderAddress.checked),
                missing: "the address that the mails come from, such as no-reply@example.com"
            )
            let name = keys.optional("name", .line(expected: "the name of the sender", limit: 128))
            let envelopeFrom = keys.optional("envelope_from", .envelopeSender)
            let replyTo = keys.optional(
                "reply_to",
                SettingReader<String>.text(expected: "an e-mail address").map(SenderAddress.checked)
            )
            let company = keys.optional("company", .line(expected: "one line about the company", limit: 200))
            return address.map { address in
                var sender = SenderSettings(address: address, name: name, envelopeFrom: envelopeFrom)
                sender.replyTo = replyTo
                sender.company = company
                return sender
            }
        }
    }
}

extension SettingReader where Value == EnvelopeSenderTemplate {
    /// `sender.envelope_from`.
    static var envelopeSender: SettingReader {
        SettingReader<String>.text(expected: "an address with \(EnvelopeSenderTemplate.placeholder) in it")
            .map { (text: String) throws(InvalidSetting) in try EnvelopeSenderTemplate(settingText: text) }
    }
}

extension SettingReader where Value == [String: LinkTemplate] {
    /// `links`.
    static var links: SettingReader {
        table(
            expected: "a mapping from each kind of mail to the URL of its link",
            key: KindName.checked,
            of: SettingReader<String>.text(expected: "a URL with \(LinkTemplate.placeholder) in it")
                .map { (text: String) throws(InvalidSetting) in
                    do throws(InvalidLink) {
                        return try LinkTemplate(text)
                    } catch {
                        throw InvalidSetting(error)
                    }
                }
        )
    }
}

extension SettingReader where Value == TokenSettings {
    /// `tokens`.
    static func tokens(_ links: [String: LinkTemplate]?) -> SettingReader {
        mapping(expected: "a mapping with the keys key, earlier_keys and codes") { keys in
            let key = keys.required(
                "key",
                .secret(.tokenKey),
                missing: "the place of the key, such as {credential: token-key}; outboxctl new-key makes one"
            )
            let earlierKeys = keys.optional(
                "earlier_keys",
                .list(of: .secret(.tokenKey), expected: "a list of places of keys", count: 0...20),
                default: []
            )
            let codes = keys.optional("codes", .kinds(in: links), default: [])
            return key.map { TokenSettings(key: $0, earlierKeys: earlierKeys, codes: codes) }
        }
    }
}

extension SettingReader where Value == ResendLimits {
    /// `limits`.
    static var limits: SettingReader {
        mapping(expected: "a mapping with the keys minimum_interval and per_hour") { keys in
            var limits = ResendLimits()
            limits.minimumInterval = keys.optional(
                "minimum_interval",
                .duration(.zero...(.seconds(3600))),
                default: limits.minimumInterval
            )
            limits.perHour = keys.optional("per_hour", .integer(1...ResendLimits.mostPerHour), default: limits.perHour)
            return limits
        }
    }
}

extension SettingReader where Value == Guidance {
    /// `guidance`.
    static var guidance: SettingReader {
        mapping(expected: "a mapping with the keys patience, resends and window") { keys in
            var guidance = Guidance()
            let patience = keys.optional("patience", .duration(.seconds(10)...(.seconds(3600))))
            guidance.patience = patience ?? guidance.patience
            guidance.resends = keys.optional("resends", .integer(0...10), default: guidance.resends)
            guidance.window = keys.optional(
                "window",
                .duration(.seconds(60)...(.seconds(7 * 86_400))),
                default: guidance.window
            )
            // A refused patience has its own problem, so window is not compared with it.
            let isPatienceKnown = patience != nil || !keys.has("patience")
            if isPatienceKnown, guidance.window < guidance.patience {
                keys.report(
                    "window",
                    "\(guidance.window.settingText) is shorter than patience (\(guidance.patience.settingText)), so "
                        + "a request would be forgotten before anyone is told to repeat it; raise window, or lower "
                        + "patience"
                )
            }
            return guidance
        }
    }
}

extension SettingReader where Value == Duration {
    /// `suppression`.
    static var suppression: SettingReader {
        mapping(expected: "a mapping with the key duration") { keys in
            keys.optional(
                "duration",
                .duration(.seconds(3600)...(.seconds(3650 * 86_400))),
                default: DeliveryRules().suppression
            )
        }
    }
}

extension SettingReader where Value == RetrySchedule {
    /// `retry`.
    static var retry: SettingReader {
        mapping(expected: "a mapping with the keys delays and jitter") { keys in
            var schedule = RetrySchedule()
            schedule.delays = keys.optional(
                "delays",
                .list(
                    of: .duration(.milliseconds(10)...(.seconds(86_400))),
                    expected: "a list of durations such as [5s, 30s, 2m]",
                    count: 1...100
                ),
                default: schedule.delays
            )
            schedule.jitter = keys.optional("jitter", .decimal(0...0.5), default: schedule.jitter)
            return schedule
        }
    }
}

extension SettingReader where Value == Logger.Level {
    /// `log`.
    static var logLevel: SettingReader {
        mapping(expected: "a mapping with the key level") { keys in
            keys.optional("level", .choice, default: .info)
        }
    }
}
