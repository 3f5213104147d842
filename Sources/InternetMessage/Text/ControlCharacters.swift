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

extension String {
    /// For error texts: a name from outside, cut to 80 characters and without control characters.
    package var printable: String {
        String(String.UnicodeScalarView(prefix(80).unicodeScalars.map { $0.isControl ? "?" : $0 }))
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

    /// With one space in place of each run of white space and control characters, and none at the ends.
    package var collapsingSpace: String {
        unicodeScalars.split { scalar in
            scalar.properties.isWhitespace || scalar.properties.generalCategory == .control
        }.map { String($0) }.joined(separator: " ")
    }
}
