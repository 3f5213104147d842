// The envelope sender with a placeholder for a message's identifier, so that a report about a mail finds its message.
// Never looks up an identifier, never parses a report.

import InternetMessage

/// The template of the address for MAIL FROM. Reports about a mail, such as a bounce, are sent there (RFC 5321 §4.4 and
/// §6.1). With a separate address for each mail (a variable envelope return path), the address identifies the mail.
package struct EnvelopeSenderTemplate: Sendable, Equatable {
    /// The placeholder for the identifier.
    package static let placeholder = "{id}"
    /// The text before the identifier; ASCII.
    private let prefix: String
    /// The text behind the identifier: the rest of the local part, the @ and the domain; ASCII.
    private let suffix: String

    /// Parses a setting: an address with `{id}` exactly once, before the @.
    ///
    /// - Throws: `InvalidSetting` when the text is not a template, or gives no valid address with an identifier of 32
    ///   octets.
    package init(settingText text: String) throws(InvalidSetting) {
        let example = "an address such as bounces+\(Self.placeholder)@example.com"
        let places = text.ranges(of: Self.placeholder)
        guard let place = places.first else {
            throw .expected("\(example), with \(Self.placeholder) where the mail's identifier goes")
        }
        guard places.count == 1 else { throw .expected("\(example), with \(Self.placeholder) only once") }
        prefix = String(text[..<place.lowerBound])
        suffix = String(text[place.upperBound...])
        // RFC 5322 §3.2.3 permits braces in atoms, but here they look like a placeholder that would never be replaced.
        guard !(prefix + suffix).contains(where: { $0 == "{" || $0 == "}" }) else {
            throw .expected(example, hint: "\(Self.placeholder) is the only placeholder there is")
        }
        guard !prefix.contains("@") else {
            throw .expected(example, hint: "\(Self.placeholder) must come before the @")
        }
        let sample = address(for: String(repeating: "0", count: EnvelopeID.usualLength))
        // Checked here, because only this message can explain that the address grows.
        let before = sample.utf8.prefix { $0 != UInt8(ascii: "@") }
        guard before.count <= Mailbox.localPartLimit, sample.utf8.count <= Mailbox.limit else {
            throw .expected(
                InvalidMailbox.length.expected,
                hint: "\(Self.placeholder) becomes \(EnvelopeID.usualLength) of them"
            )
        }
        guard try SenderAddress.checked(sample) == sample else {
            throw .expected("an address in ASCII", hint: "write the domain in its xn-- form")
        }
    }

    /// The template as written in the configuration file.
    package var text: String { prefix + Self.placeholder + suffix }

    /// The address for MAIL FROM of one mail.
    ///
    /// - Parameter envelopeID: lower-case ASCII letters and digits, 32 from outboxd. A longer identifier may make the
    ///   local part too long for a relay.
    package func address(for envelopeID: String) -> String {
        prefix + envelopeID + suffix
    }

    /// The identifier in an address, in lower case; nil when `address(for:)` cannot have created the address.
    ///
    /// Case is ignored, because some hosts change it. An identifier is 1 to 64 ASCII letters and digits.
    ///
    /// - Parameter address: bare, without angle brackets. It comes from outside and may be anything.
    package func envelopeID(in address: String) -> String? {
        // Compares octets, because a String's lowercased() turns some non-ASCII letters into ASCII ones.
        let octets = address.utf8.map(\.asciiLowercased)
        let (before, behind) = (prefix.utf8.map(\.asciiLowercased), suffix.utf8.map(\.asciiLowercased))
        guard octets.count > before.count + behind.count, octets.starts(with: before),
            octets.suffix(behind.count) == behind[...]
        else { return nil }
        let identifier = octets.dropFirst(before.count).dropLast(behind.count)
        return EnvelopeID(String(decoding: identifier, as: UTF8.self))?.text
    }
}
