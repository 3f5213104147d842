// Makes a relay from its settings, with the secrets that they name. Never opens a connection to it.

import OutboxCore
package import OutboxSettings
package import SMTPTransport

extension SMTPRelay {
    /// The relay with its password or its OAuth client.
    ///
    /// - Parameter environment: the process's, for systemd's folder of credentials.
    /// - Throws: `ProgramFailure` with exit code 78 if a secret can't be read.
    package init(_ settings: RelaySettings, environment: [String: String]) throws {
        self.init(settings.configuration)
        do {
            credentials = try settings.credentials.map { try SMTPCredentials($0, environment: environment) }
        } catch {
            throw ProgramFailure.configuration("relay \(settings.configuration.name): \(error)")
        }
    }
}

extension RelaySettings {
    /// The relay's place in the configuration with the places of its secrets, for messages to the operator.
    ///
    /// - Parameter index: its index in the list `relays`.
    package func place(at index: Int) -> String {
        let places = (credentials?.secrets ?? []).map(\.source.place)
        return "relays[\(index)]" + (places.isEmpty ? "" : " (\(places.joined(separator: ", ")))")
    }
}

extension SMTPCredentials {
    /// Reads the secrets.
    fileprivate init(_ settings: RelayCredentials, environment: [String: String]) throws(PasswordError) {
        switch settings.proof {
        case .password(let source):
            self.init(user: settings.user, password: try source.read(environment: environment).revealed)
        case .oauth(let oauth):
            let client = OAuthClient(
                tokenURL: oauth.tokenURL,
                clientID: oauth.clientID,
                clientSecret: try oauth.clientSecret?.read(environment: environment, as: .clientSecret).revealed,
                refreshToken: try oauth.refreshToken?.read(environment: environment, as: .refreshToken).revealed,
                scope: oauth.scope,
                caFile: oauth.caFile
            )
            self.init(user: settings.user, tokens: AccessTokens(client))
        }
    }
}
