// `outboxd --check`: checks everything that the service depends on, and reports what would stop or hinder it. Never
// changes, creates or sends anything.

import Foundation
import MailComposer
import OutboxCore
import OutboxSettings
import ProgramSupport

/// Checks everything that the configuration names, with the rights that the service will have.
///
/// Root's rights are not the service's. Run by root, the check first reads the credentials as root, like systemd; then
/// it switches permanently to the unit's user.
struct ServiceCheck {
    let options: ConfigurationOptions
    let environment: [String: String]

    private typealias Installed = (unit: ServiceUnit, path: String)

    /// - Returns: the message to the operator if there is no problem.
    /// - Throws: `ProgramFailure` with exit code 78 and every problem.
    func run() throws -> String {
        let installed = ProcessUser.isRoot ? ServiceUnit.installed() : nil
        var problems: [String] = []
        if let installed {
            problems += installed.unit.credentials.compactMap(problem)
            if let user = installed.unit.user { try ProcessUser.become(user) }
        }
        let settings = try options.settings()
        do { _ = try MailComposer(settings: settings) } catch { problems.append("\(error)") }
        for relay in settings.relays {
            problems += problemsOf(relay, installed).map { "relay \(relay.configuration.name): \($0)" }
        }
        if let problem = problemOfDatabase(settings.database.path, installed) {
            problems.append("database \(settings.database.path): \(problem)")
        }
        guard problems.isEmpty else {
            let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
            let lines = problems.map { "  \($0.replacing("\n", with: "\n  "))" }.joined(separator: "\n")
            throw ProgramFailure.configuration("\(options.path): \(count), checked \(viewpoint(installed)):\n\(lines)")
        }
        return "\(options.path): configuration, templates, passwords, certificates and the database's folder are good, "
            + "checked \(viewpoint(installed))"
    }

    private func viewpoint(_ installed: Installed?) -> String {
        let user = "as user \(NSUserName())"
        if let installed { return "\(user), with the credentials and folders of \(installed.path)" }
        return ProcessUser.isRoot ? "\(user), because no unit of outboxd is installed" : user
    }

    /// The problem that systemd would have with a credential; systemd doesn't start a service without its credentials
    /// (exit code 243).
    private func problem(_ credential: ServiceUnit.Credential) -> String? {
        guard credential.source.hasPrefix("/") else { return nil }
        do { _ = try PasswordSource.file(credential.source).read(environment: environment) } catch {
            return "LoadCredential=\(credential.name): \(error)"
        }
        return nil
    }

    private func problemsOf(_ relay: RelaySettings, _ installed: Installed?) -> [String] {
        var problems = CertificateFile.problems(relay)
        for (key, source) in relay.credentials?.secrets ?? [] {
            if case .credential(let name) = source, let installed {
                let unit = installed.unit
                if !unit.credentials.contains(where: { $0.name == name }), !unit.opaqueCredentials.contains(name) {
                    problems.append("the unit loads no credential \(name); add LoadCredential=\(name):PATH to it")
                }
            } else {
                do { _ = try source.read(environment: environment, as: key) } catch { problems.append("\(error)") }
            }
        }
        return problems
    }

    private func problemOfDatabase(_ path: String, _ installed: Installed?) -> String? {
        if let problem = DatabasePlace.problem(path) { return problem }
        let file = URL(filePath: path).resolvingSymlinksInPath()
        return installed?.unit.problem(of: file.deletingLastPathComponent().path)
    }
}
