// `outboxd --check`: checks everything that the service depends on, and reports what would stop or hinder it. Never
// changes, creates or sends anything.

import Foundation
import Glibc
import MailComposer
import MailLint
import OutboxCore
import OutboxSettings
import OutboxTokens
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
        var warnings = 0
        do {
            let composer = try MailComposer(settings: settings)
            if settings.templates != nil { warnings = try composer.lint().count { $0.severity == .warning } }
        } catch { problems.append("\(error)") }
        problems += tokenProblems(settings.tokens, installed)
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
            + (warnings == 0
                ? "" : "; \(warnings) template warning\(warnings == 1 ? "" : "s"): see outboxctl lint-templates")
            + (remarkOnMarks(installed).map { "; a restored database would not be noticed: \($0)" } ?? "")
    }

    /// Why outboxd could not keep its mark. No mail depends on that, so it is not a problem.
    private func remarkOnMarks(_ installed: Installed?) -> String? {
        // systemd creates the folder for the service's user.
        if let installed {
            return installed.unit.cacheFolder == nil ? "\(installed.path) has no CacheDirectory=" : nil
        }
        guard let folder = CacheFolder.path(environment) else { return "\(CacheFolder.variable) names no folder" }
        return access(folder, W_OK | X_OK) == 0 ? nil : "\(folder): \(String(cString: strerror(errno)))"
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
        CertificateFile.problems(relay)
            + (relay.credentials?.secrets ?? []).compactMap { key, source in
                if case .credential(let name) = source, let installed { return missingCredential(name, in: installed) }
                do { _ = try source.read(environment: environment, as: key) } catch { return "\(error)" }
                return nil
            }
    }

    /// Reads the keys; of those that systemd passes to the service only the unit's line is checked.
    private func tokenProblems(_ settings: TokenSettings?, _ installed: Installed?) -> [String] {
        guard let settings else { return [] }
        let sources = [settings.key] + settings.earlierKeys
        guard let installed, sources.contains(where: \.isCredential) else {
            do { _ = try TokenRules(settings, kinds: [], environment: environment) } catch { return ["\(error)"] }
            return []
        }
        return sources.compactMap { source in
            if case .credential(let name) = source {
                return missingCredential(name, in: installed).map { "tokens: \($0)" }
            }
            do { _ = try source.read(environment: environment, as: .tokenKey) } catch { return "tokens: \(error)" }
            return nil
        }
    }

    private func missingCredential(_ credential: String, in installed: Installed) -> String? {
        let unit = installed.unit
        if unit.credentials.contains(where: { $0.name == credential }) { return nil }
        if unit.opaqueCredentials.contains(credential) { return nil }
        return "the unit loads no credential \(credential); add LoadCredential=\(credential):PATH to it"
    }

    private func problemOfDatabase(_ path: String, _ installed: Installed?) -> String? {
        if let problem = DatabasePlace.problem(path) { return problem }
        let file = URL(filePath: path).resolvingSymlinksInPath()
        return installed?.unit.problem(of: file.deletingLastPathComponent().path)
    }
}
