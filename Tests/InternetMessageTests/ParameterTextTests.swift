// The encodings of ENVID and ORCPT.

import InternetMessage
import Testing

@Suite struct ParameterTextTests {
    @Test(
        "xtext encodes what RFC 3461 demands, and nothing else",
        arguments: [
            ("0123456789abcdef", "0123456789abcdef"), ("a+b=c", "a+2Bb+3Dc"), ("a b", "a+20b"), ("\u{7F}\t", "+7F+09"),
            ("é", "+C3+A9"), ("!#$%&'*-/?^_`{|}~", "!#$%&'*-/?^_`{|}~"),
        ]
    )
    func xtext(text: String, expected: String) {
        #expect(XText.encoded(text) == expected)
    }

    @Test(
        "an address gets its type and that type's encoding",
        arguments: [
            ("ann@example.com", "rfc822;ann@example.com"),
            ("ann+news@example.com", "rfc822;ann+2Bnews@example.com"),
            ("a=b@example.com", "rfc822;a+3Db@example.com"),
            ("山田@example.com", #"utf-8;\x{5C71}\x{7530}@example.com"#),
            ("é+x=y@example.com", #"utf-8;\x{E9}\x{2B}x\x{3D}y@example.com"#),
            ("😀@example.com", #"utf-8;\x{1F600}@example.com"#),
        ]
    )
    func address(address: String, expected: String) {
        #expect(TypedAddress.encoded(address) == expected)
    }

    @Test("the longest addresses that a row may have fit into ORCPT, and a longer value is none")
    func length() throws {
        let domain = "@" + String(repeating: "d.", count: 90) + "example"
        // 64 octets that need the most room: one scalar of one octet takes three, and two octets take six.
        #expect(TypedAddress.encoded(String(repeating: "+", count: 64) + domain) != nil)
        #expect(TypedAddress.encoded(String(repeating: "é", count: 32) + domain) != nil)
        #expect(TypedAddress.encoded("é" + String(repeating: "+", count: 62) + domain) == nil)
        #expect(TypedAddress.encoded(String(repeating: "=", count: 165) + "@example.com") == nil)
    }
}
