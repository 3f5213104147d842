// A colour and its contrast with another one. Never reads or writes settings.

import Foundation

/// A colour of the sRGB space, each part from 0 to 255.
package struct RGB: Hashable, Sendable {
    /// White.
    package static let white = RGB(255, 255, 255)
    /// Black.
    package static let black = RGB(0, 0, 0)

    /// Red, green and blue.
    package let parts: [Int]

    /// Creates a colour.
    package init(_ red: Int, _ green: Int, _ blue: Int) { parts = [red, green, blue] }

    /// The colour as `#rrggbb`.
    package var text: String {
        "#" + parts.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// WCAG 2.2, "contrast ratio": from 1 to 21.
    package func contrast(with other: RGB) -> Double {
        let (lighter, darker) = (max(luminance, other.luminance), min(luminance, other.luminance))
        return (lighter + 0.05) / (darker + 0.05)
    }

    /// WCAG 2.2, "relative luminance".
    private var luminance: Double {
        let linear = parts.map { part -> Double in
            let value = Double(part) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// The colour with a share, from 0 to 1, of another one.
    package func mixed(with other: RGB, _ share: Double) -> RGB {
        let mixed = zip(parts, other.parts).map { Int((Double($0) * (1 - share) + Double($1) * share).rounded()) }
        return RGB(mixed[0], mixed[1], mixed[2])
    }
}
