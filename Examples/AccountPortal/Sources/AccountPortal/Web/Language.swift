// The languages of the pages, and how a request asks for one.

import Foundation

/// A language of pages and mails.
enum Language: String, Sendable, CaseIterable {
    case english = "en"
    case japanese = "ja"

    /// The words of this language. Both stand side by side where they are used, so that neither is forgotten.
    func callAsFunction(_ english: HTML, _ japanese: HTML) -> HTML {
        switch self {
        case .english: english
        case .japanese: japanese
        }
    }

    /// The name of the language in itself.
    var name: String {
        switch self {
        case .english: "English"
        case .japanese: "日本語"
        }
    }

    /// The first language of `Accept-Language` that the portal has; English if it has none.
    init(acceptLanguage: String?) {
        let wanted = (acceptLanguage ?? "").split(separator: ",").lazy
            .map { $0.prefix { $0 != ";" && $0 != "-" }.trimmingCharacters(in: .whitespaces).lowercased() }
        self = wanted.compactMap(Language.init(rawValue:)).first ?? .english
    }

    /// A span from now on, rounded up to minutes, and below a minute to seconds.
    func span(_ seconds: Double) -> String {
        if seconds < 60 {
            let rounded = max(1, Int(seconds.rounded(.up)))
            return switch self {
            case .english: rounded == 1 ? "1 second" : "\(rounded) seconds"
            case .japanese: "\(rounded)秒"
            }
        }
        let minutes = Int((seconds / 60).rounded(.up))
        return switch self {
        case .english: minutes == 1 ? "1 minute" : "\(minutes) minutes"
        case .japanese: "\(minutes)分"
        }
    }

    /// A time of the day in UTC: the server doesn't know the visitor's time zone.
    func time(_ date: Date) -> String {
        let minutes = Int((date.timeIntervalSince1970 / 60).rounded(.down)) % (24 * 60)
        let (hour, minute) = (String(minutes / 60), String(minutes % 60))
        return "\(hour.count == 1 ? "0" : "")\(hour):\(minute.count == 1 ? "0" : "")\(minute) UTC"
    }
}
