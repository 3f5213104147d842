// Ends a program that can't do its job: a short message on standard error, and an exit code.

package import ArgumentParser
import Foundation
package import OutboxStore
import ServiceProcess

/// The exit codes of sysexits.h that the programs use, in addition to 0, and 1 for "nothing found".
package enum ExitStatus {
    /// EX_USAGE: the command line is wrong.
    package static let usage: Int32 = 64
    /// EX_DATAERR: the database refused the data to store.
    package static let dataError: Int32 = 65
    /// EX_UNAVAILABLE: the database can't be used, or a relay rejects a mail for good.
    package static let unavailable: Int32 = 69
    /// EX_CANTCREAT: a file can't be created.
    package static let cannotCreate: Int32 = 73
    /// EX_TEMPFAIL: the database is not there now, or a relay doesn't take a mail now; another time it may.
    package static let temporary: Int32 = 75
    /// EX_CONFIG: the configuration, a template or a password file is wrong.
    package static let configuration: Int32 = 78
}

/// A failure that is explained to the operator.
package struct ProgramFailure: Error, CustomStringConvertible {
    /// What is wrong and what to do.
    package let description: String
    /// The program's exit code.
    package let status: Int32

    /// A wrong configuration.
    package static func configuration(_ description: String) -> ProgramFailure {
        ProgramFailure(description: description, status: ExitStatus.configuration)
    }

    /// An argument names something that the configuration doesn't have.
    package static func usage(_ description: String) -> ProgramFailure {
        ProgramFailure(description: description, status: ExitStatus.usage)
    }

    /// A file can't be created.
    package static func cannotCreate(_ description: String) -> ProgramFailure {
        ProgramFailure(description: description, status: ExitStatus.cannotCreate)
    }

    /// Something that this machine does not have.
    package static func unavailable(_ description: String) -> ProgramFailure {
        ProgramFailure(description: description, status: ExitStatus.unavailable)
    }

    /// Turns a database error into a failure of the program.
    ///
    /// - Parameters:
    ///   - path: the database file. If its place has a problem, the message describes that too.
    ///   - isWritten: whether the program was going to write it.
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
                .encoding, .noWriteAheadLog, .networkFileSystem, .schemaTooOld, .schemaTooNew, .schemaIncomplete,
                .schemaReshaped, .foreignOutbox, .tableRenamed, .unknownValue,
                .diskFull, .locked, .inputOutput, .sqlite:
                ExitStatus.unavailable
            }
    }

    private init(description: String, status: Int32) {
        self.description = description
        self.status = status
    }
}

extension ParsableArguments {
    /// Runs a program's work. Writes a failure to standard error and turns it into the exit code.
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
