// Limits how many tests run at the same time.

/// Admits a limited number of tasks at a time; the others wait in line.
actor AsyncSemaphore {
    /// For whole deliveries. Each needs an inotify instance, and Linux allows a user 128 by default.
    static let deliveries = AsyncSemaphore(places: 24)

    private var places: Int
    private var line: [CheckedContinuation<Void, Never>] = []

    init(places: Int) { self.places = places }

    /// Runs `body` as soon as there is a place.
    nonisolated func pass(_ body: () async throws -> Void) async throws {
        await enter()
        do { try await body() } catch {
            await leave()
            throw error
        }
        await leave()
    }

    private func enter() async {
        if places > 0 {
            places -= 1
        } else {
            await withCheckedContinuation { line.append($0) }
        }
    }

    private func leave() {
        if line.isEmpty {
            places += 1
        } else {
            line.removeFirst().resume()
        }
    }
}
