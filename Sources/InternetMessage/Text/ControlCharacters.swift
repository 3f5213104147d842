// Control characters, and texts without them: nobody may insert a second line into a header, or move the cursor of a
// person who reads a log or an error.

extension Unicode.Scalar {
    /// Breaks a line or controls a device: never permitted in a header. Includes NEL, LS and PS, which some programs
    /// treat as line breaks.
    package var isControl: Bool {
        switch value {
        case 0x00...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
        default: false
        }
    }
}

extension Unicode.Scalar {
    /// ASCII has none, and nearly every text is ASCII.
    fileprivate var isFormat: Bool { !isASCII && properties.generalCategory == .format }
}

extension String {
    /// For error texts: a name from outside, cut to 80 Unicode scalars and without control characters.
    package var printable: String {
        String(String.UnicodeScalarView(limited(to: 80).unicodeScalars.map { $0.isControl ? "?" : $0 }))
    }

    /// With a space in place of each line break (CRLF or one character) and of each other control character.
    package var onOneLine: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        var line = ""
        var previous: Unicode.Scalar?
        for scalar in unicodeScalars {
            defer { previous = scalar }
            if scalar == "\n", previous == "\r" { continue }
            line.unicodeScalars.append(scalar.isControl ? " " : scalar)
        }
        return line
    }

    /// On one line, with a space in place of each character that can't be seen, too (Unicode's category Cf: marks of
    /// direction, zero-width characters, tags): what a terminal shows is then what there is.
    package var onOneVisibleLine: String {
        let line = onOneLine
        guard line.unicodeScalars.contains(where: \.isFormat) else { return line }
        return String(String.UnicodeScalarView(line.unicodeScalars.map { $0.isFormat ? " " : $0 }))
    }

    /// For a log: with `\\u{1B}` in place of each control character, and of a line break, a quote and a backslash what
    /// Swift writes.
    package var escaped: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\r": text += "\\r"
            case "\n": text += "\\n"
            default:
                if scalar.isControl {
                    text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text
    }

    /// With one space in place of each run of white space and control characters, and none at the ends.
    package var collapsingSpace: String {
        unicodeScalars.split { scalar in
            scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
        }.map { String($0) }.joined(separator: " ")
    }
}
