// Languages as HTML and templates name them. Knows no names of languages.

/// A language tag (RFC 5646), as far as a screen reader's voice depends on it.
struct LanguageTag {
    private let language: String
    private let script: String?
    private let region: String?

    init(_ text: String) {
        let parts = text.lowercased().split { $0 == "-" || $0 == "_" }.map { String($0) }
        let language = parts.first ?? ""
        let region = parts.dropFirst().first { $0.count == 2 || $0.count == 3 && $0.allSatisfy(\.isNumber) }
        self.language = language
        self.region = region
        script =
            parts.dropFirst().first { $0.count == 4 && $0.allSatisfy(\.isLetter) }
            ?? Self.likelyScript(language, region)
    }

    /// CLDR's likely subtags, for the one language of ours with two scripts.
    private static func likelyScript(_ language: String, _ region: String?) -> String? {
        guard language == "zh" else { return nil }
        return ["tw", "hk", "mo"].contains(region) ? "hant" : "hans"
    }

    /// Whether it is this language in this script. A region that only one of them names makes no difference.
    func fits(_ other: LanguageTag) -> Bool {
        func agrees(_ one: String?, _ another: String?) -> Bool { one == nil || another == nil || one == another }
        return language == other.language && !language.isEmpty && agrees(script, other.script)
            && agrees(region, other.region)
    }
}
