// Lets Python's `email` package read mails: an independent check of their bytes that shares no code with the composer.

import Foundation
import MailComposer
import Synchronization
import Testing

/// The findings of Resources/read_mail.py about one mail.
struct ReadMail: Decodable {
    let defects: [String]
    let unbalancedTags: [String]
    let subject: String
    let fromName: String
    let fromAddress: String
    let to: String
    let date: String
    let headerNames: [String]
    let messageId: String
    let parts: [String]
    let charsets: [String]
    let encodings: [String]
    let text: String
    let html: String
    let htmlText: String
    let hrefs: [String]
    let linkTexts: [String]
    let attributes: [String]
    let attributeValues: [String]
    let longestLine: Int
    let longestBodyLine: Int
    let longestHeaderLine: Int
    let bareLineEnds: Int
    let fromLines: Int
    let trailingSpaces: Int
    let longEncodedWords: Int
}

/// One Python process for all tests. It ends when its standard input does, which is when this process ends.
enum PythonReader {
    private struct Interpreter {
        let process = Process()
        let input = Pipe()
        let output = Pipe()
        let decoder = JSONDecoder()

        init() throws {
            let script = try #require(Bundle.module.url(forResource: "Resources/read_mail", withExtension: "py"))
            process.executableURL = URL(filePath: "/usr/bin/python3")
            process.arguments = [script.path()]
            process.standardInput = input
            process.standardOutput = output
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            try process.run()
        }

        /// The answer for the mail in this file.
        func read(_ path: String) throws -> ReadMail {
            try input.fileHandleForWriting.write(contentsOf: Data("\(path)\n".utf8))
            var answer = Data()
            while answer.last != UInt8(ascii: "\n") {
                let more = output.fileHandleForReading.availableData
                try #require(!more.isEmpty, "read_mail.py failed; its standard error says why")
                answer += more
            }
            return try decoder.decode(ReadMail.self, from: answer)
        }
    }

    private static let interpreter = Mutex<Interpreter?>(nil)

    /// Python's findings about this mail. One mail at a time, whichever test asks.
    static func read(_ mail: Mail) throws -> ReadMail {
        let folder = try TemporaryFolder()
        try folder.write("mail.eml", Data(mail.bytes))
        return try interpreter.withLock { interpreter in
            if interpreter == nil { interpreter = try Interpreter() }
            return try #require(interpreter).read("\(folder.path)/mail.eml")
        }
    }
}
