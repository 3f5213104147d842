// Carries out the requests for reset mails, soon after their answers are on the way. Never answers a browser.

import Foundation
import ServiceLifecycle

/// Enqueues the mails of `Accounts.forgotPassword`: whether an address has an account is looked up here, where nobody can
/// measure it.
final class RequestCarrier: Service {
    private let accounts: Accounts
    private let (wakeUps, waker) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(accounts: Accounts) { self.accounts = accounts }

    /// There may be a request.
    func wake() { waker.yield() }

    /// Runs until the program ends. Begins with what an earlier run left.
    func run() async throws {
        wake()
        for await _ in wakeUps.cancelOnGracefulShutdown() {
            do { try await accounts.carryOutRequests() } catch {
                FileHandle.standardError.write(Data("account-portal: can't enqueue reset mails: \(error)\n".utf8))
                // The next request, or the next start, tries again; until then a second's pause and another look.
                try await Task.sleep(for: .seconds(1))
                wake()
            }
        }
    }
}
