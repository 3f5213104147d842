// Reads the OAuth client of a relay and checks combinations of its keys.
// Never reads a secret, never asks a token server.

import Foundation
import InternetMessage
import Yams

extension SettingReader where Value == OAuthSettings {
    /// `oauth`.
    static var oauth: SettingReader {
        mapping(expected: "a mapping with the keys token_url, client_id and others") { keys in
            let tokenURL = keys.required(
                "token_url",
                .tokenURL,
                missing: "the token endpoint, such as https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"
            )
            let clientID = keys.required(
                "client_id",
                .line(expected: "the client's identifier", limit: 255),
                missing: "the identifier that the provider gave this client"
            )
            let clientSecret = keys.optional("client_secret", .secret(.clientSecret))
            let refreshToken = keys.optional("refresh_token", .secret(.refreshToken))
            let scope = keys.optional("scope", .line(expected: "a scope", limit: 1000))
            let caFile = keys.optional("ca_file", .path(expected: "the path of a file with certificates"))
            if !keys.has("client_secret"), !keys.has("refresh_token") {
                keys.report(
                    "client_secret",
                    "missing; add client_secret: {file: PATH} or {credential: NAME}, or refresh_token in the same way"
                )
            }
            guard let tokenURL, let clientID else { return nil }
            return OAuthSettings(
                tokenURL: tokenURL,
                clientID: clientID,
                clientSecret: clientSecret,
                refreshToken: refreshToken,
                scope: scope,
                caFile: caFile
            )
        }
    }
}

extension SettingReader where Value == String {
    /// `oauth.token_url`: https, because the client's secrets go there.
    static var tokenURL: SettingReader {
        let example = "a URL such as https://oauth2.googleapis.com/token"
        return text(expected: example).map { (text: String) throws(InvalidSetting) in
            // Checked first, so that no later message can quote a password.
            guard !text.utf8.contains(UInt8(ascii: "@")) else {
                throw .refused("a user name or password does not belong in the URL; use client_id and client_secret")
            }
            guard let url = URLComponents(string: text, encodingInvalidCharacters: false),
                let scheme = url.scheme?.lowercased(), scheme == "https" || scheme == "http", url.fragment == nil
            else { throw .expected(example) }
            let host = url.host.map { $0.hasPrefix("[") ? String($0.dropFirst().dropLast()) : $0 } ?? ""
            guard DomainName.isHostName(host) || HostName.isIPv4(host) || HostName.isIPv6(host),
                (1...65535).contains(url.port ?? 443)
            else { throw .expected(example, hint: "the host must be a name in ASCII or an IP address") }
            guard scheme == "https" || HostName.isLoopback(host) else {
                throw .expected(
                    "a URL that begins with https://",
                    hint: "over http:// anyone on the way can read the secret; http is allowed for localhost only"
                )
            }
            return text
        }
    }
}
