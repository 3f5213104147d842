// Decodes a part's Content-Transfer-Encoding (RFC 2045 §6). RFC 3464 requires no encoding, but some mail systems use
// one.

package enum TransferDecoding {
    /// The octets of a part before encoding.
    ///
    /// Damaged input is decoded as far as possible, and an unknown encoding counts as none: a truncated report may
    /// still say enough.
    package static func decoded(_ body: MailLines, encoding: String?) -> [UInt8] {
        switch encoding?.lowercased().prefix(while: { $0.isLetter || $0.isNumber || $0 == "-" }) {
        case "base64": base64(body.bytes)
        case "quoted-printable": quotedPrintable(body.bytes)
        default: body.bytes
        }
    }

    /// RFC 2045 §6.8: characters outside the alphabet are ignored.
    package static func base64(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            if byte == UInt8(ascii: "=") {
                // Padding: the next characters begin another piece.
                (bits, count) = (0, 0)
                continue
            }
            guard let value = base64Value(byte) else { continue }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                decoded.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return decoded
    }

    private static func base64Value(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    /// RFC 2045 §6.7; text that is not an escape stays unchanged.
    package static func quotedPrintable(_ bytes: [UInt8]) -> [UInt8] {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "="), index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "\n") {
                index += 2
            } else if byte == UInt8(ascii: "="), index + 2 < bytes.count, let high = hexDigit(bytes[index + 1]),
                let low = hexDigit(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(byte)
                index += 1
            }
        }
        return decoded
    }

    package static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
