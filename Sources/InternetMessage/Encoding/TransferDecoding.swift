// Undoes a part's Content-Transfer-Encoding (RFC 2045 §6). RFC 3464 asks for none, but some mail systems use one.

package enum TransferDecoding {
    /// The octets of a part as they were before they were encoded.
    ///
    /// What is damaged is read as far as it goes, and an unknown encoding is taken for none: a report that was cut off may
    /// still say enough.
    package static func decoded(_ body: MailLines, encoding: String?) -> [UInt8] {
        switch encoding?.lowercased().prefix(while: { $0.isLetter || $0.isNumber || $0 == "-" }) {
        case "base64": base64(body.bytes)
        case "quoted-printable": quotedPrintable(body.bytes)
        default: body.bytes
        }
    }

    /// RFC 2045 §6.8: what is no letter of the alphabet is passed over.
    package static func base64(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var decoded: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            if byte == UInt8(ascii: "=") {
                // Padding: what follows is another piece.
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

    /// RFC 2045 §6.7; what isn't an escape stays as it is.
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
