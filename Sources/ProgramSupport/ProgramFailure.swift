// How a program ends when it can't do its job: one line or a few on standard error, and an exit code.

package import ArgumentParser
import Foundation
package import OutboxStore
import ServiceProcess

/// The exit codes of sysexits.h that the programs use beside 0, and 1 for "nothing found".
package enum ExitStatus {
    /// EX_USAGE: the command line is wrong.
    package static let usage: Int32 = 64
    /// EX_DATAERR: the database refused what was to be stored.
    package static let dataError: Int32 = 65
    /// EX_UNAVAILABLE: the database can't be used.
    package static let unavailable: Int32 = 69
    /// EX_CANTCREAT: a file can't be made.
    package static let cannotCreate: Int32 = 73
    /// EX_TEMPFAIL: the database is not there now; another start may find it.
    package static let temporary: Int32 = 75
    /// EX_CONFIG: the configuration, a template or a password file is wrong.
    package static let configuration: Int32 = 78
}

/// A failure that was explained in words for an operator.
package struct ProgramFailure: Error, CustomStringConvertible {
    /// What is wrong and what to do.
    package let description: String
    /// What the program exits with.
    package let status: Int32

    /// A wrong configuration.
    package static func configuration(_ description: String) -> ProgramFailure {
        ProgramFailure(description: description, status: ExitStatus.configuration)
    }

    /// A file that can't be made.
    package static func cannotCreate(_ description: String) -> ProgramFailure {
        ProgramFailure(description: description, status: ExitStatus.cannotCreate)
    }

    /// The failure that an error of the database means.
    ///
    /// - Parameters:
    ///   - path: where the database is; what is wrong with that place is said, too.
    ///   - isWritten: whether it was to be written.
    package init(_ error: OutboxDatabaseError, databaseAt path: String? = nil, isWritten: Bool = true) {
        let place = path.flatMap { DatabasePlace.problem($0, isWritten: isWritten) }
        description =
            switch (error, place) {
            case (.noFile(let path), .some(let place)), (.folderUnusable(let path), .some(let place)),
                (.notCreated(let path), .some(let place)):
                "the database \(path) can't be used: \(place)"
            case (.cannotOpen, .some(let place)), (.sqlite, .some(let place)), (.notWritable, .some(let place)):
                "\(error); \(place)"
            default: error.description
            }
        status =
            switch error {
            case .constraint, .idempotencyKeyReused: ExitStatus.dataError
            case .notCreated, .lost, .folderUnusable: ExitStatus.temporary
            case .noFile, .unreachable, .notReadable, .notWritable, .cannotOpen, .noDatabase, .corrupt,
                .encoding, .noWriteAheadLog, .networkFileSystem, .schemaTooOld, .schemaTooNew, .unknownValue,
                .developmentBuild, .diskFull, .locked, .inputOutput, .sqlite:
                ExitStatus.unavailable
            }
    }

    private init(description: String, status: Int32) {
        self.description = description
        self.status = status
    }
}

extension ParsableArguments {
    /// Runs a program's work; a failure is written to standard error and becomes the exit code.
    package func reportingFailures<Value>(_ work: () async throws -> Value) async throws -> Value {
        do {
            return try await work()
        } catch let failure as ProgramFailure {
            throw Self.exit(failure)
        } catch let error as OutboxDatabaseError {
            throw Self.exit(ProgramFailure(error))
        }
    }

    private static func exit(_ failure: ProgramFailure) -> ExitCode {
        StandardError.write("\(programName): \(failure.description)\n")
        return ExitCode(failure.status)
    }

    private static var programName: String {
        CommandLine.arguments.first.map { URL(filePath: $0).lastPathComponent } ?? "outboxd"
    }
}
