// Reads the whole configuration: the one place that knows which keys there are and what each may be.
// Never opens the files and relays that the configuration names.

extension SettingReader where Value == Settings {
    /// The top of the file.
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
            settings.limits = keys.optional("limits", .limits, default: settings.limits)
            settings.keepOlder = keys.optional("keep_older", .kinds(in: links), default: settings.keepOlder)
            settings.guidance = keys.optional("guidance", .guidance, default: settings.guidance)
            settings.suppression = keys.optional("suppression", .suppression, default: settings.suppression)
            settings.retry = keys.optional("retry", .retry, default: settings.retry)
            settings.giveUpAfter = keys.optional(
                "give_up_after",
                .duration(.seconds(60)...(.seconds(30 * 86_400))),
                default: settings.giveUpAfter
            )
            settings.lease = keys.optional(
                "lease",
                // A claim may wait 5 s for another program's write lock, and so may its renewal.
                .duration(.seconds(10)...(.seconds(86_400))),
                default: settings.lease
            )
            settings.pollInterval = keys.optional(
                "poll_interval",
                .duration(.milliseconds(10)...(.seconds(3600))),
                default: settings.pollInterval
            )
            settings.retention = keys.optional(
                "retention",
                .durationOrNone(.seconds(3600)...(.seconds(3650 * 86_400))),
                default: settings.retention
            )
            if keys.has("retention"), let retention = settings.retention, retention < settings.guidance.window {
                keys.report(
                    "retention",
                    "\(retention.settingText) is shorter than guidance.window (\(settings.guidance.window.settingText)), so "
                        + "requests would be forgotten that the advice counts; raise retention, or lower guidance.window"
                )
            }
            settings.shutdownGrace = keys.optional(
                "shutdown_grace",
                .duration(.zero...(.seconds(600))),
                default: settings.shutdownGrace
            )
            settings.log = keys.optional("log", .log, default: settings.log)
            return settings
        }
    }
}

extension SettingReader where Value == DatabaseSettings {
    /// `database`: a path, or a mapping with the path and what goes with it.
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
        mapping(expected: "a mapping with the keys address, name and envelope_from") { keys in
            let address = keys.required(
                "address",
                .text(expected: "an e-mail address").map(SenderAddress.checked),
                missing: "the address that the mails come from, such as no-reply@example.com"
            )
            let name = keys.optional("name", .line(expected: "the name of the sender", limit: 128))
            let envelopeFrom = keys.optional("envelope_from", .envelopeSender)
            return address.map { SenderSettings(address: $0, name: name, envelopeFrom: envelopeFrom) }
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

extension SettingReader where Value == [String: String] {
    /// `links`.
    static var links: SettingReader {
        table(
            expected: "a mapping from each kind of mail to the URL of its link",
            key: LinkTemplate.checkedKind,
            of: .text(expected: "a URL with \(LinkTemplate.placeholder) in it").map(LinkTemplate.checked)
        )
    }
}

extension SettingReader where Value == LimitSettings {
    /// `limits`.
    static var limits: SettingReader {
        mapping(expected: "a mapping with the keys minimum_interval and per_hour") { keys in
            var limits = LimitSettings()
            limits.minimumInterval = keys.optional(
                "minimum_interval",
                .duration(.zero...(.seconds(3600))),
                default: limits.minimumInterval
            )
            limits.perHour = keys.optional("per_hour", .integer(1...1000), default: limits.perHour)
            return limits
        }
    }
}

extension SettingReader where Value == GuidanceSettings {
    /// `guidance`.
    static var guidance: SettingReader {
        mapping(expected: "a mapping with the keys patience, resends and window") { keys in
            var guidance = GuidanceSettings()
            let patience = keys.optional("patience", .duration(.seconds(10)...(.seconds(3600))))
            guidance.patience = patience ?? guidance.patience
            guidance.resends = keys.optional("resends", .integer(0...10), default: guidance.resends)
            guidance.window = keys.optional(
                "window",
                .duration(.seconds(60)...(.seconds(7 * 86_400))),
                default: guidance.window
            )
            // A patience that was refused has its own problem, and is not what the window is too short for.
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

extension SettingReader where Value == SuppressionSettings {
    /// `suppression`.
    static var suppression: SettingReader {
        mapping(expected: "a mapping with the key duration") { keys in
            var suppression = SuppressionSettings()
            suppression.duration = keys.optional(
                "duration",
                .duration(.seconds(3600)...(.seconds(3650 * 86_400))),
                default: suppression.duration
            )
            return suppression
        }
    }
}

extension SettingReader where Value == RetrySettings {
    /// `retry`.
    static var retry: SettingReader {
        mapping(expected: "a mapping with the keys delays and jitter") { keys in
            var retry = RetrySettings()
            retry.delays = keys.optional(
                "delays",
                .list(
                    of: .duration(.milliseconds(10)...(.seconds(86_400))),
                    expected: "a list of durations such as [5s, 30s, 2m]",
                    count: 1...100
                ),
                default: retry.delays
            )
            retry.jitter = keys.optional("jitter", .decimal(0...0.5), default: retry.jitter)
            return retry
        }
    }
}

extension SettingReader where Value == LogSettings {
    /// `log`.
    static var log: SettingReader {
        mapping(expected: "a mapping with the key level") { keys in
            var log = LogSettings()
            log.level = keys.optional("level", .choice, default: log.level)
            return log
        }
    }
}
