// The colour of a mail's button, and whether its white text can be read. Knows nothing of HTML.

import Foundation

/// A colour for the button: dark enough for white text.
package struct BrandColor: Sendable, Hashable {
    /// The contrast that WCAG 2.2 demands for text (success criterion 1.4.3).
    package static let leastContrast = 4.5
    /// The colour without a setting.
    package static let standard = BrandColor(RGB(11, 87, 208), dark: RGB(169, 200, 255), darkText: RGB(8, 34, 77))

    /// `#rrggbb`.
    package let text: String
    /// The button in dark mode, and its text: the same hue, with a contrast of 7 or more.
    package let dark: String
    package let darkText: String

    private init(_ color: RGB, dark: RGB, darkText: RGB) {
        text = color.text
        self.dark = dark.text
        self.darkText = darkText.text
    }

    /// Reads `#rrggbb`.
    ///
    /// - Throws: `InvalidLink` if the text is no colour, or white text on it has too little contrast.
    package init(_ text: String) throws(InvalidLink) {
        let example = "a colour such as \"#0b57d0\""
        let digits = text.dropFirst()
        guard text.hasPrefix("#"), digits.utf8.count == 6, digits.first?.isHexDigit == true,
            let number = Int(digits, radix: 16)
        else {
            throw .expected(example, hint: text.isEmpty ? "put it in quotes: # begins a comment" : nil)
        }
        let color = RGB(number >> 16, number >> 8 & 0xFF, number & 0xFF)
        let contrast = color.contrast(with: .white)
        guard contrast >= Self.leastContrast else {
            // Rounded down, so that it never reads as the bound itself.
            let shown = (contrast * 100).rounded(.down) / 100
            throw .expected(
                "a darker colour: the button's text is white, and its contrast must be at least \(Self.leastContrast):1",
                hint: "here it is \(shown):1"
            )
        }
        var (tint, shade) = (color.mixed(with: .white, 0.6), color.mixed(with: .black, 0.6))
        while tint.contrast(with: shade) < 7 {
            (tint, shade) = (tint.mixed(with: .white, 0.1), shade.mixed(with: .black, 0.1))
        }
        self = color.text == Self.standard.text ? .standard : BrandColor(color, dark: tint, darkText: shade)
    }
}
