// Reads the settings of what mails show beside their own text. Never fetches a page or a picture.

import OutboxCore

extension MappingReader {
    /// `help`, `ask_again`, `feedback_id` and `brand`.
    mutating func mailOptions() -> MailOptions {
        var options = MailOptions()
        options.help = optional("help", .page)
        options.askAgain = optional("ask_again", .byKind(.page), default: [:])
        options.feedbackIDs = optional("feedback_id", .byKind(.feedbackID), default: [:])
        if let brand = optional("brand", .brand) {
            options.logo = brand.logo
            options.color = brand.color
        }
        return options
    }
}

extension SettingReader where Value == PageAddress {
    /// The address of a page or a picture.
    fileprivate static var page: SettingReader {
        SettingReader<String>.text(expected: "a URL such as https://example.com/help")
            .map { (text: String) throws(InvalidSetting) in
                do throws(InvalidLink) {
                    return try PageAddress(text)
                } catch {
                    throw InvalidSetting(error)
                }
            }
    }
}

extension SettingReader where Value == FeedbackID {
    fileprivate static var feedbackID: SettingReader {
        SettingReader<String>.text(expected: "a Feedback-ID such as \"verify:example\"")
            .map { (text: String) throws(InvalidSetting) in
                guard let value = FeedbackID(text) else {
                    throw .expected(
                        "one to four names of letters, digits, '.', '_' and '-' with colons between them, the last one "
                            + "the sender's, of 5 to 15 characters"
                    )
                }
                return value
            }
    }
}

extension SettingReader where Value == BrandColor {
    fileprivate static var color: SettingReader {
        SettingReader<String>.text(expected: "a colour such as \"#0b57d0\", in quotes")
            .map { (text: String) throws(InvalidSetting) in
                do throws(InvalidLink) {
                    return try BrandColor(text)
                } catch {
                    throw InvalidSetting(error)
                }
            }
    }
}

extension SettingReader where Value == (logo: PageAddress?, color: BrandColor) {
    fileprivate static var brand: SettingReader {
        mapping(expected: "a mapping with the keys logo and color") { keys in
            let logo = keys.optional("logo", .page)
            let color = keys.optional("color", .color, default: .standard)
            return (logo, color)
        }
    }
}

extension SettingReader {
    /// A mapping from kinds of mail. The templates, which aren't read here, decide which kinds there are.
    fileprivate static func byKind<Element>(
        _ element: SettingReader<Element>
    ) -> SettingReader where Value == [String: Element] {
        table(expected: "a mapping from kinds of mail", key: KindName.checked, of: element)
    }
}
