// Token servers' answers, as values: those of RFC 6749, and those that real servers send.

import OutboxCore
import Testing

@testable import SMTPTransport

@Suite("a token server's answer")
struct TokenAnswerTests {
    private func read(_ status: Int, _ body: String) -> Result<TokenGrant, TokenFailure> {
        TokenAnswer.read(status: status, body: Array(body.utf8))
    }

    @Test(
        "with a token is read",
        arguments: [
            (#"{"access_token": "abc", "token_type": "Bearer", "expires_in": 3599}"#, Duration.seconds(3599)),
            // Microsoft's first version of the endpoint writes numbers as text, and others times with a fraction.
            (#"{"access_token": "abc", "token_type": "bearer", "expires_in": "3599"}"#, .seconds(3599)),
            (#"{"access_token": "abc", "expires_in": 0.5, "scope": ["a"]}"#, .milliseconds(500)),
            (#"{"access_token": "abc"}"#, .seconds(300)),
            (#"{"access_token": "abc", "expires_in": -1}"#, .zero),
            (#"{"access_token": "abc", "expires_in": 1e300}"#, .seconds(86_400)),
        ]
    )
    func granted(body: String, lifetime: Duration) throws {
        let grant = try read(200, body).get()
        #expect(grant == TokenGrant(accessToken: "abc", lifetime: lifetime, refreshToken: nil))
        #expect(!String(reflecting: grant).contains("abc"))
    }

    @Test("may have a new refresh token")
    func rotated() throws {
        #expect(try read(200, #"{"access_token": "a", "refresh_token": "r"}"#).get().refreshToken == "r")
        #expect(try read(200, #"{"access_token": "a", "refresh_token": ""}"#).get().refreshToken == nil)
        #expect(try read(200, #"{"access_token": "a", "refresh_token": null}"#).get().refreshToken == nil)
    }

    @Test(
        "that refuses is refused for good, with the provider's words",
        arguments: [
            (
                400,
                #"{"error": "invalid_grant", "error_description": "AADSTS700082: The refresh token has expired due to "#
                    + #"inactivity.\r\nTrace ID: 1\r\nCorrelation ID: 2", "error_codes": [700082]}"#,
                "the token server answered 400: invalid_grant: AADSTS700082: The refresh token has expired due to "
                    + "inactivity. Trace ID: 1 Correlation ID: 2"
            ),
            (
                401, #"{"error": "invalid_client", "error_description": "The OAuth client was not found."}"#,
                "the token server answered 401: invalid_client: The OAuth client was not found."
            ),
            (400, #"{"error": "unauthorized_client"}"#, "the token server answered 400: unauthorized_client"),
            (200, #"{"error": "bad_verification_code"}"#, "the token server answered 200: bad_verification_code"),
            (403, "Forbidden", "the token server answered 403: no reason given"),
            (
                404, "<html>Not Found</html>",
                "the token server answered 404: there is no token endpoint at this address; check token_url"
            ),
            (
                302, "",
                "the token server answered 302: the server redirects, which is not followed; set token_url to "
                    + "the final address"
            ),
            (200, "<html>", "the token server answered 200: the answer has no access_token; check token_url"),
            (200, "{}", "the token server answered 200: the answer has no access_token; check token_url"),
            (
                200, #"{"access_token": "a", "token_type": "mac"}"#,
                "the token server answered 200: the token's type is mac, not Bearer"
            ),
            (
                200, #"{"access_token": "a\u0001auth=Bearer b"}"#,
                "the token server answered 200: the access_token can't be used in AUTH"
            ),
            (200, #"{"access_token": ""}"#, "the token server answered 200: the access_token can't be used in AUTH"),
        ]
    )
    func refused(status: Int, body: String, words: String) {
        #expect(read(status, body) == .failure(TokenFailure(kind: .refused, words: words)))
    }

    @Test(
        "that another request may change is temporary",
        arguments: [
            (500, "oops"), (503, #"{"error": "temporarily_unavailable"}"#), (429, ""), (408, ""), (502, "<html>"),
            (400, #"{"error": "temporarily_unavailable"}"#), (500, #"{"error": "server_error"}"#),
        ]
    )
    func temporary(status: Int, body: String) throws {
        guard case .failure(let failure) = read(status, body) else {
            Issue.record("granted")
            return
        }
        #expect(failure.kind == .unavailable)
    }

    @Test("of any length has short words")
    func long() {
        let words = String(repeating: "x", count: 50_000)
        let body = #"{"error": "invalid_grant", "error_description": "\#(words)"}"#
        guard case .failure(let failure) = read(400, body) else {
            Issue.record("granted")
            return
        }
        #expect(failure.words.unicodeScalars.count == 600)
        let token = String(repeating: "t", count: 8193)
        guard case .failure = read(200, #"{"access_token": "\#(token)"}"#),
            case .success = read(200, #"{"access_token": "\#(token.dropFirst())"}"#)
        else {
            Issue.record("the limit is another one")
            return
        }
    }

    @Test("is asked for with the client's secrets in the body, and nothing unescaped")
    func form() {
        let secret = OAuthClient(tokenURL: "", clientID: "id", clientSecret: "a+b&c=d ü", scope: "https://x/.default")
        #expect(
            secret.form(refreshToken: nil)
                == "grant_type=client_credentials&client_id=id&client_secret=a%2Bb%26c%3Dd%20%C3%BC"
                + "&scope=https%3A%2F%2Fx%2F.default"
        )
        let open = OAuthClient(tokenURL: "", clientID: "id", clientSecret: nil, refreshToken: "old")
        #expect(open.form(refreshToken: "new") == "grant_type=refresh_token&refresh_token=new&client_id=id")
        #expect(!String(reflecting: secret).contains("a+b") && !String(reflecting: open).contains("old"))
    }
}
