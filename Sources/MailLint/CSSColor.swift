// Colours as CSS writes them. Never measures.

import OutboxCore

/// Reads colours.
enum CSSColor {
    /// - Parameters:
    ///   - text: the value of a property in lower case.
    ///   - inherited: the colour around the element.
    /// - Returns: `nil` for a colour that is not known here, such as `hsl(…)`, or is partly transparent.
    static func read(_ text: String, inherited: RGB?) -> RGB? {
        if let name = names[text] { return name }
        if ["inherit", "transparent", "none", "currentcolor"].contains(text) { return inherited }
        if text.hasPrefix("#") {
            let digits = text.dropFirst().compactMap(\.hexDigitValue)
            if digits.count == 3, text.count == 4 { return RGB(digits[0] * 17, digits[1] * 17, digits[2] * 17) }
            guard digits.count == 6, text.count == 7 else { return nil }
            return RGB(digits[0] * 16 + digits[1], digits[2] * 16 + digits[3], digits[4] * 16 + digits[5])
        }
        guard text.hasPrefix("rgb("), text.hasSuffix(")") else { return nil }
        let words = text.dropFirst(4).dropLast().split { $0 == "," || $0 == " " }
        let parts = words.compactMap { Int($0) }.filter { (0...255).contains($0) }
        return words.count == 3 && parts.count == 3 ? RGB(parts[0], parts[1], parts[2]) : nil
    }

    private static let names: [String: RGB] = [
        "white": .white, "black": .black, "gray": RGB(128, 128, 128), "grey": RGB(128, 128, 128),
        "lightgray": RGB(211, 211, 211), "lightgrey": RGB(211, 211, 211), "darkgray": RGB(169, 169, 169),
        "darkgrey": RGB(169, 169, 169), "whitesmoke": RGB(245, 245, 245), "silver": RGB(192, 192, 192),
        "red": RGB(255, 0, 0), "green": RGB(0, 128, 0), "blue": RGB(0, 0, 255), "navy": RGB(0, 0, 128),
        "teal": RGB(0, 128, 128), "maroon": RGB(128, 0, 0), "purple": RGB(128, 0, 128), "orange": RGB(255, 165, 0),
        "yellow": RGB(255, 255, 0),
    ]
}
