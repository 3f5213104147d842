// Whether a file contains certificates.

import Foundation
import OutboxSettings
import Testing

@Suite("A file of certificates")
struct CertificateFileTests {
    /// A small P-256 test certificate, made with `openssl req -x509`.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBiDCCAS2gAwIBAgIUMibi0pE97/Gt81aT0ofwL7Ut8jgwCgYIKoZIzj0EAwIw
        GTEXMBUGA1UEAwwObm9ib2R5LmV4YW1wbGUwHhcNMjYxMTI2MTQyNjU3WhcNMzYx
        MTIzMTQyNjU3WjAZMRcwFQYDVQQDDA5ub2JvZHkuZXhhbXBsZTBZMBMGByqGSM49
        AgEGCCqGSM49AwEHA0IABPARuiHL9Vu6QM9IrLqd60kJSMTmEK4hzNBKgq469z8d
        jLYAo8CjgHJzYsE939uYrosKdirk1xdZYbkrl2zXsa+jUzBRMB0GA1UdDgQWBBRN
        P1p75xxX/ewhep9NjnRmqZoT2jAfBgNVHSMEGDAWgBRNP1p75xxX/ewhep9NjnRm
        qZoT2jAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQC2J18SOGUO
        yN55yAs8BUKzt8t44QMcpRZ6TfxesiLq8gIhAKEqlmI8XIn95RTf1lunc7tGkvA4
        Nh9AeFSOi7xUW9S4
        -----END CERTIFICATE-----
        """

    private func problem(_ text: String) throws -> String? {
        let file = FileManager.default.temporaryDirectory.appending(path: "ca-\(UUID().uuidString).pem")
        try text.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        return CertificateFile.problem(file.path)
    }

    @Test("is valid with certificates and text between them")
    func good() throws {
        #expect(try problem(Self.certificate) == nil)
        #expect(try problem("# our own\n\(Self.certificate)\nand another\n\(Self.certificate)\n") == nil)
    }

    @Test("is invalid when it is missing, empty, garbage, a key, or damaged in a later certificate")
    func bad() throws {
        #expect(CertificateFile.problem("/nowhere/ca.pem")?.contains("there is no such file") == true)
        #expect(CertificateFile.problem("/")?.contains("not a regular file") == true)
        let key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
        for text in ["", "garbage", key] {
            #expect(try problem(text)?.contains("holds no certificate in PEM form") == true)
        }
        let cut = String(Self.certificate.dropLast(200))
        let damaged = Self.certificate.replacing("MII", with: "MIJ")
        for text in [cut, damaged] {
            #expect(try problem("\(Self.certificate)\n\(text)")?.contains("certificate 2 is damaged") == true)
        }
    }
}
