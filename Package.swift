// swift-tools-version: 6.2
// outboxd's targets and what each may depend on. Dependencies point one way (docs/architecture.md).

import PackageDescription

/// `OUTBOXD_STRICT=1` (what `make check` sets) turns warnings into errors; a user's build with a newer compiler
/// must not break on a warning that compiler added.
let strict = Context.environment["OUTBOXD_STRICT"] == "1"

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
/// SQLite's C interface, for what GRDB has no words for.
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")

let package = Package(
    name: "outboxd",
    products: [
        .executable(name: "outboxd", targets: ["outboxd"]),
        .executable(name: "outboxctl", targets: ["outboxctl"]),
        .executable(name: "fake-smtp", targets: ["fake-smtp"]),
        .library(name: "OutboxClient", targets: ["OutboxClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .target(name: "InternetMessage", swiftSettings: settings),
        .target(name: "OutboxTokens", dependencies: [crypto], swiftSettings: settings),
        .target(name: "OutboxCore", dependencies: ["InternetMessage", "OutboxTokens"], swiftSettings: settings),
        .target(
            name: "OutboxStore",
            dependencies: ["CSQLite", "InternetMessage", "OutboxCore", "OutboxTokens", grdb, sqlite],
            swiftSettings: settings
        ),
        .target(name: "OutboxClient", dependencies: ["OutboxTokens", grdb], swiftSettings: settings),
        .target(
            name: "SMTPTransport",
            dependencies: ["InternetMessage", "OutboxCore", "CCurl"],
            swiftSettings: settings
        ),
        .target(name: "MailTemplates", dependencies: ["InternetMessage"], swiftSettings: settings),
        .target(
            name: "MailComposer",
            dependencies: ["InternetMessage", "MailTemplates", "OutboxCore"],
            swiftSettings: settings
        ),
        .target(
            name: "MailLint",
            dependencies: ["InternetMessage", "MailComposer", "OutboxCore"],
            swiftSettings: settings
        ),
        .target(
            name: "OutboxDelivery",
            dependencies: [
                "InternetMessage", "OutboxCore", "OutboxStore", "MailComposer", "SMTPTransport", logging, lifecycle,
            ],
            swiftSettings: settings
        ),
        .target(name: "DeliveryReports", dependencies: ["InternetMessage", "OutboxCore"], swiftSettings: settings),
        .target(
            name: "OutboxSettings",
            dependencies: ["InternetMessage", "OutboxCore", logging, .product(name: "Yams", package: "Yams")],
            swiftSettings: settings
        ),
        .target(name: "ServiceProcess", swiftSettings: settings),
        .target(
            name: "ProgramSupport",
            dependencies: [
                "MailComposer", "OutboxCore", "OutboxSettings", "OutboxStore", "SMTPTransport", "ServiceProcess",
                argumentParser,
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "outboxd",
            dependencies: [
                "MailComposer", "MailLint", "OutboxCore", "OutboxDelivery", "OutboxSettings", "OutboxStore",
                "OutboxTokens", "ProgramSupport", "SMTPTransport", "ServiceProcess", argumentParser, logging, lifecycle,
                signals,
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "outboxctl",
            dependencies: [
                "DeliveryReports", "InternetMessage", "MailComposer", "MailLint", "OutboxCore", "OutboxSettings",
                "OutboxStore", "OutboxTokens", "ProgramSupport", "SMTPTransport", "ServiceProcess", argumentParser,
            ],
            swiftSettings: settings
        ),
        .target(
            name: "FakeSMTP",
            dependencies: [
                "ServiceProcess",
                nioCore,
                nioPosix,
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                crypto,
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "fake-smtp",
            dependencies: ["FakeSMTP", "ServiceProcess", argumentParser],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["OutboxCore"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .target(
            name: "FakeTokenServer",
            dependencies: [
                "FakeSMTP", nioCore, nioPosix,
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/FakeTokenServer",
            swiftSettings: settings
        ),
        .testTarget(
            name: "InternetMessageTests",
            dependencies: ["InternetMessage", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "OutboxTokensTests", dependencies: ["OutboxTokens"], swiftSettings: settings),
        .testTarget(
            name: "OutboxCoreTests",
            dependencies: ["InternetMessage", "OutboxCore", "TestSupport"],
            resources: [.copy("Resources")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxStoreTests",
            dependencies: [
                "InternetMessage", "OutboxCore", "OutboxStore", "OutboxTokens", "TestSupport", grdb, sqlite,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxClientTests",
            dependencies: [
                "InternetMessage", "OutboxClient", "OutboxCore", "OutboxStore", "OutboxTokens", "TestSupport", grdb,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ServiceProcessTests",
            dependencies: ["ServiceProcess", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ProgramSupportTests",
            dependencies: ["ProgramSupport", "OutboxStore", "TestSupport", "outboxctl"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxSettingsTests",
            dependencies: ["InternetMessage", "OutboxCore", "OutboxSettings", "TestSupport", logging],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MailTemplatesTests",
            dependencies: ["MailTemplates"],
            resources: [.copy("Resources")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MailComposerTests",
            dependencies: ["InternetMessage", "MailComposer", "MailTemplates", "OutboxCore", "TestSupport"],
            resources: [.copy("Resources")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MailLintTests",
            dependencies: ["MailComposer", "MailLint", "OutboxCore"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "DeliveryReportsTests",
            dependencies: ["DeliveryReports", "InternetMessage", "OutboxCore", "TestSupport"],
            resources: [.copy("Resources")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "SMTPTransportTests",
            dependencies: [
                "FakeSMTP", "FakeTokenServer", "InternetMessage", "OutboxCore", "SMTPTransport", "TestSupport",
            ],
            exclude: ["Dialogues"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OutboxDeliveryTests",
            dependencies: [
                "FakeSMTP", "FakeTokenServer", "InternetMessage", "MailComposer", "OutboxCore", "OutboxDelivery",
                "OutboxStore", "OutboxTokens", "SMTPTransport",
                "TestSupport",
                grdb, logging, lifecycle,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "FakeSMTPTests",
            dependencies: ["FakeSMTP", "TestSupport", "fake-smtp", nioCore, nioPosix],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["FakeTokenServer", "OutboxDelivery", "TestSupport", "outboxd", "outboxctl", "fake-smtp"],
            resources: [.copy("Resources")],
            swiftSettings: settings
        ),
    ]
)

// libFuzzer brings its own main function, so that the target builds only with its sanitizer (`make fuzz`).
if Context.environment["OUTBOXD_FUZZ"] == "1" {
    package.targets.append(
        .executableTarget(
            name: "conversation-fuzz",
            dependencies: ["OutboxCore", "SMTPTransport"],
            path: "Tests/ConversationFuzz",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
        )
    )
}
