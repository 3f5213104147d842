// Runs another program for a test: one of our built programs or a foreign one.

package import Foundation
import Glibc

/// The results of a program.
package struct ProgramResult: Sendable {
    /// Its exit code.
    package let exitCode: Int32
    /// Its standard output.
    package let output: String
    /// Its standard error.
    package let errors: String
}

/// A program that runs concurrently with the test.
package final class Program: Sendable {
    /// The folder of the built programs, which is that of the test binary.
    package static var buildFolder: URL {
        get throws {
            let binary = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            let besideBinary = URL(filePath: binary).deletingLastPathComponent()
            let arguments = CommandLine.arguments.map { URL(filePath: $0).deletingLastPathComponent() }
            let folder = ([besideBinary] + arguments).first { folder in
                FileManager.default.isExecutableFile(atPath: folder.appending(path: "fake-smtp").path)
            }
            guard let folder else { throw CocoaError(.fileNoSuchFile) }
            return folder
        }
    }

    private let process: Process
    private let outputFile: URL
    private let errorFile: URL
    private let termination: AsyncStream<Int32>

    /// Starts a program; its output goes to files in `folder`.
    ///
    /// - Parameters:
    ///   - input: the text for standard input; `nil` for none.
    ///   - environment: additional variables.
    package init(
        _ executable: URL,
        _ arguments: [String],
        in folder: URL,
        input: String? = nil,
        environment: [String: String] = [:]
    ) throws {
        let id = UUID().uuidString
        outputFile = folder.appending(path: "\(id).out")
        errorFile = folder.appending(path: "\(id).err")
        try Data().write(to: outputFile)
        try Data().write(to: errorFile)
        let (termination, continuation) = AsyncStream<Int32>.makeStream()
        self.termination = termination
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var handles: [FileHandle] = []
        if let input {
            let inputFile = folder.appending(path: "\(id).in")
            try Data(input.utf8).write(to: inputFile)
            handles.append(try FileHandle(forReadingFrom: inputFile))
            process.standardInput = handles[0]
        } else {
            process.standardInput = FileHandle.nullDevice
        }
        let output = try FileHandle(forWritingTo: outputFile)
        handles.append(output)
        let errors = try FileHandle(forWritingTo: errorFile)
        handles.append(errors)
        process.standardOutput = output
        process.standardError = errors
        process.terminationHandler = { process in
            continuation.yield(process.terminationStatus)
            continuation.finish()
        }
        try process.run()
        // The program has its own copies; Foundation may keep the process, and these handles with it, for ever.
        for handle in handles { try handle.close() }
        self.process = process
    }

    /// Sends SIGTERM.
    package func terminate() {
        process.terminate()
    }

    /// The file that the program has open under a number, as the kernel names it.
    package func file(of descriptor: Int) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(process.processIdentifier)/fd/\(descriptor)"
        )
    }

    /// Waits until the process runs our program and blocks, ignores or handles a signal.
    package func waitUntilItHolds(signal number: Int32, as name: String) async throws {
        let bit = UInt64(1) << UInt64(number - 1)
        while true {
            // Before it has executed the program, it blocks all signals.
            let program = try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(process.processIdentifier)/exe"
            )
            let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
            let isHeld = status.matches(of: /Sig(?:Blk|Ign|Cgt):\s*([0-9a-f]+)/).contains { mask in
                UInt64(mask.1, radix: 16).map { $0 & bit != 0 } ?? false
            }
            if isHeld, program.hasSuffix("/\(name)") { return }
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Sends SIGHUP.
    package func hangUp() {
        Glibc.kill(process.processIdentifier, SIGHUP)
    }

    /// Its standard output so far.
    package func outputSoFar() throws -> String { try String(contentsOf: outputFile, encoding: .utf8) }

    /// Its standard error so far.
    package func errorsSoFar() throws -> String { try String(contentsOf: errorFile, encoding: .utf8) }

    /// The most memory that the running program has occupied, in octets.
    package func peakMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        guard let match = status.firstMatch(of: /VmHWM:\s*(\d+) kB/), let size = Int(match.1) else {
            throw CocoaError(.fileReadCorruptFile)
        }
        return size * 1024
    }

    /// How often the kernel has switched from the running program's threads to others.
    package func contextSwitches() throws -> Int {
        let tasks = "/proc/\(process.processIdentifier)/task"
        return try FileManager.default.contentsOfDirectory(atPath: tasks).reduce(0) { sum, task in
            // A thread may end in between.
            let status = try? String(contentsOfFile: "\(tasks)/\(task)/status", encoding: .utf8)
            return sum
                + (status ?? "").matches(of: /voluntary_ctxt_switches:\s*(\d+)/).compactMap { Int($0.1) }.reduce(0, +)
        }
    }

    /// Sends SIGKILL: the program ends at once.
    package func kill() {
        Glibc.kill(process.processIdentifier, SIGKILL)
    }

    /// Sends SIGINT.
    package func interrupt() {
        process.interrupt()
    }

    /// Waits for the end.
    package func result() async throws -> ProgramResult {
        var exitCode: Int32 = -1
        for await code in termination { exitCode = code }
        return ProgramResult(
            exitCode: exitCode,
            output: try String(contentsOf: outputFile, encoding: .utf8),
            errors: try String(contentsOf: errorFile, encoding: .utf8)
        )
    }

    /// Runs a script with Debian's Python; `arguments` are its `sys.argv[1:]`.
    package static func python(_ script: String, _ arguments: [String]) async throws -> ProgramResult {
        try await withFolder { folder in
            try await Program(URL(filePath: "/usr/bin/python3"), ["-c", script] + arguments, in: folder).result()
        }
    }
}

/// Runs `body` with a new folder that is removed afterwards.
package func withFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "outboxd-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    do {
        let result = try await body(folder)
        try remove(folder)
        return result
    } catch {
        try remove(folder)
        throw error
    }
}

/// SQLite removes its -wal and -shm files when the last connection closes, which may happen during the removal of the
/// folder: a file that has vanished is not an error.
private func remove(_ folder: URL) throws {
    while true {
        do { return try FileManager.default.removeItem(at: folder) } catch CocoaError.fileNoSuchFile {
            if !FileManager.default.fileExists(atPath: folder.path) { return }
        }
    }
}
