// The options for TLS and AUTH. Reads the password file; never prints its content.

import ArgumentParser
import FakeSMTP
import Foundation

struct SecurityOptions: ParsableArguments {
    @Option(help: ArgumentHelp("none, starttls (the STARTTLS command) or implicit (TLS at once).", valueName: "mode"))
    var tls = FakeSMTPServer.TLSMode.none

    @Option(
        help: ArgumentHelp(
            "Writes the authority's certificate as PEM to this file, new at each start.",
            valueName: "file"
        )
    )
    var certificateFile: String?

    @Option(help: ArgumentHelp("The kind of certificate: valid, ends-soon, expired or other-host.", valueName: "kind"))
    var certificate = LocalCertificate.Kind.valid

    @Flag(help: "Refuses MAIL with 530 before TLS.")
    var requireTLS = false

    @Option(help: ArgumentHelp("Offers AUTH PLAIN and LOGIN, to this user.", valueName: "name"))
    var user: String?

    @Option(help: ArgumentHelp("The file whose first line is that user's password.", valueName: "file"))
    var passwordFile: String?

    @Option(
        help: ArgumentHelp(
            "A mechanism to offer in place of PLAIN and LOGIN: these, CRAM-MD5, XOAUTH2, OAUTHBEARER, DIGEST-MD5, NTLM or "
                + "GSSAPI. Repeatable. XOAUTH2 and OAUTHBEARER take the password as the access token; the last three "
                + "always fail.",
            valueName: "name"
        ),
        transform: { try mechanism($0) }
    )
    var authMechanism: [SASLMechanism] = []

    @Option(
        help: ArgumentHelp("An offered mechanism that always fails. Repeatable.", valueName: "name"),
        transform: { try mechanism($0) }
    )
    var authFails: [SASLMechanism] = []

    @Flag(help: "Refuses MAIL with 530 before AUTH.")
    var requireAuth = false

    @Flag(help: "Offers AUTH before STARTTLS, too.")
    var authBeforeTLS = false

    func validate() throws {
        guard (user == nil) == (passwordFile == nil) else {
            throw ValidationError("--user and --password-file belong together; give both or neither.")
        }
        guard !requireAuth || user != nil else {
            throw ValidationError("--require-auth needs --user and --password-file.")
        }
        guard (authMechanism.isEmpty && authFails.isEmpty) || user != nil else {
            throw ValidationError("--auth-mechanism and --auth-fails need --user and --password-file.")
        }
        guard tls != .none || (certificateFile == nil && !requireTLS) else {
            throw ValidationError("--certificate-file and --require-tls need --tls starttls or --tls implicit.")
        }
    }

    func apply(to options: inout FakeSMTPServer.Options) {
        options.certificate = certificate
        options.requiresTLS = requireTLS
        options.requiresAuthentication = requireAuth
        if !authMechanism.isEmpty { options.mechanisms = authMechanism }
        options.failingMechanisms = Set(authFails)
        options.offersAuthenticationBeforeTLS = authBeforeTLS
    }

    private static func mechanism(_ name: String) throws -> SASLMechanism {
        guard let mechanism = SASLMechanism(rawValue: name.uppercased()) else {
            let names = SASLMechanism.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(name)' is not a known mechanism of AUTH; expected one of \(names)")
        }
        return mechanism
    }

    func credentials() throws -> [String: String] {
        guard let user, let passwordFile else { return [:] }
        let text: String
        do {
            text = try String(contentsOf: URL(filePath: passwordFile), encoding: .utf8)
        } catch {
            throw ProgramError("cannot read --password-file \(passwordFile): \(error.localizedDescription)")
        }
        guard let password = text.split(whereSeparator: \.isNewline).first else {
            throw ProgramError("--password-file \(passwordFile) is empty; put the password on its first line")
        }
        return [user: String(password)]
    }

    func writeCertificate(_ pem: String?) throws {
        guard let certificateFile, let pem else { return }
        try OutputFile.write(pem, to: certificateFile, option: "--certificate-file")
    }
}

extension FakeSMTPServer.TLSMode: ExpressibleByArgument {}
extension LocalCertificate.Kind: ExpressibleByArgument {}
