// libcurl's words about TLS connections, of several versions and TLS libraries, as values.

import OutboxCore
import Testing

@testable import SMTPTransport

@Suite("libcurl's words about TLS")
struct TLSDetailsTests {
    private func session(
        _ line: String = "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384\n",
        _ fields: [String] = []
    ) -> TLSSession? {
        var details = TLSDetails()
        for line in ["TLSv1.3 (OUT), TLS handshake, Client hello (1):\n", line, "Server certificate:\n"] {
            details.notes(line)
        }
        return details.session(certificate: fields)
    }

    @Test(
        "give protocol and cipher",
        arguments: [
            ("SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384\n", "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
            // libcurl 8.6 and later.
            (
                "SSL connection using TLSv1.3 / TLS_AES_128_GCM_SHA256 / x25519 / RSASSA-PSS\n", "TLSv1.3",
                "TLS_AES_128_GCM_SHA256"
            ),
            ("SSL connection using TLSv1.2 / ECDHE-RSA-AES256-GCM-SHA384", "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"),
        ]
    )
    func version(line: String, version: String, cipher: String) throws {
        let found = try #require(session(line))
        #expect(found.version == version && found.cipher == cipher)
        #expect(found.certificateName == nil && found.certificateExpiresAt == nil)
    }

    @Test("without them there is no session", arguments: ["", "SSL connection using", "SSL connection using x\n"])
    func none(line: String) {
        #expect(session(line, ["Subject:CN = localhost"]) == nil)
    }

    @Test(
        "give the certificate's name",
        arguments: [
            (["Subject:CN = smtp.example.com"], "smtp.example.com"),
            (["Subject:C = US, O = Example\\, Inc., CN = smtp.example.com"], "smtp.example.com"),
            (["Subject:C=US,CN=smtp.example.com,O=Example"], "smtp.example.com"),
            (["Subject:/C=US/CN=*.example.com"], "*.example.com"),
            (
                ["Subject:", "X509v3 Subject Alternative Name:IP Address:192.0.2.1, DNS:a.example, DNS:b.example"],
                "a.example"
            ),
            (["Subject:O = NOCN = x", "Issuer:CN = issuer"], nil),
            ([], nil),
        ] as [([String], String?)]
    )
    func name(fields: [String], name: String?) {
        #expect(session("SSL connection using TLSv1.3 / X\n", fields)?.certificateName == name)
    }

    @Test(
        "give the certificate's end",
        arguments: [
            ("Nov 27 04:52:11 2027 GMT", "2027-11-27T04:52:11.000Z"),
            ("Jan  7 00:00:00 2030 GMT", "2030-01-07T00:00:00.000Z"),
            ("2027-11-27 04:52:11 GMT", "2027-11-27T04:52:11.000Z"),
            ("Nov 27 04:52:11 2027", nil), ("Foo 27 04:52:11 2027 GMT", nil), ("Nov 99 04:52:11 2027 GMT", nil),
            ("", nil),
        ] as [(String, String?)]
    )
    func end(text: String, moment: String?) {
        let end = session("SSL connection using TLSv1.3 / X\n", ["Expire date:\(text)"])?.certificateExpiresAt
        #expect(end?.rfc3339 == moment)
    }

    @Test("are cut and put on one line")
    func hostile() throws {
        let field = "Subject:CN = a\n\u{1B}[2Jb" + String(repeating: "c", count: 5000)
        let name = try #require(session("SSL connection using TLSv1.3 / X\n", [field])?.certificateName)
        #expect(name.hasPrefix("a [2Jbc") && name.unicodeScalars.count == 200)
    }
}
