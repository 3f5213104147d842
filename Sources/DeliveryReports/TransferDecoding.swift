// Undoes a part's Content-Transfer-Encoding (RFC 2045 §6). RFC 3464 asks for none, but some mail systems use one.

import Foundation

enum TransferDecoding {
    /// The lines of a part as they were before they were encoded.
    static func decoded(_ body: MailLines, encoding: String?) throws(ReportError) -> MailLines {
        switch encoding?.lowercased() {
        case nil, "7bit", "8bit", "binary":
            return body
        case "base64":
            guard let data = Data(base64Encoded: Data(body.bytes), options: .ignoreUnknownCharacters) else {
                throw .malformed("the base64 of its status part is broken")
            }
            return MailLines(Array(data))
        case "quoted-printable":
            return MailLines(quotedPrintable(body.bytes))
        default:
            throw .malformed("its status part has an unknown transfer encoding")
        }
    }

    /// RFC 2045 §6.7; what isn't an escape stays as it is.
    private static func quotedPrintable(_ bytes: [UInt8]) -> [UInt8] {
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

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
