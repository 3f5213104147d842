// swift-tools-version: 6.2
// The reference application of outboxd: a package of its own, so that outboxd itself never depends on a web framework.

import PackageDescription

/// `OUTBOXD_STRICT=1` turns warnings into errors, as in outboxd's own package.
let strict = Context.environment["OUTBOXD_STRICT"] == "1"

let package = Package(
    name: "AccountPortal",
    products: [.executable(name: "account-portal", targets: ["AccountPortal"])],
    dependencies: [
        .package(name: "outboxd", path: "../.."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .executableTarget(
            name: "AccountPortal",
            dependencies: [
                .product(name: "OutboxClient", package: "outboxd"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ] + (strict ? [.treatAllWarnings(as: .error)] : [])
        )
    ]
)
