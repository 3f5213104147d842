// Reasons why a message could not be composed. Carries names and places only: never a token or the value of a variable.

package import InternetMessage
import MailTemplates
package import OutboxCore

/// A fault of one row: another attempt without a change to the row or the templates fails in the same way.
package enum CompositionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No folder of templates has this name.
    case unknownKind(String)
    /// `{{name}}` in this file and line (counted from 1) has no value, because the row's `variables` lack it.
    case missingVariable(name: String, file: String, line: Int)
    /// `{{name}}` in this file and line refers to an object or an array, which can't be printed.
    case unprintableVariable(name: String, file: String, line: Int)
    /// The mail needs a minted token or code, and its key is not configured.
    case missingTokenKey(MissingTokenKey)
    /// The row's `variables` are not a JSON object, and a template needs one of them. The schema refuses such a row, so
    /// something bypassed the schema.
    case variablesNotAnObject
    /// The row's `variables` are nested more deeply than any template can address, and a template needs one of them.
    case variablesTooDeep
    /// The row's `variables` are too large for a mail, and a template needs one of them.
    case variablesTooLarge
    /// The recipient is not a mail address; its reason never holds the address.
    case invalidRecipient(InvalidMailbox)
    /// The row's `envelope_id` is not an `EnvelopeID`, so it may not fit into a Message-ID.
    case invalidEnvelopeID
    /// The subject is empty, or only white space.
    case emptySubject(file: String)

    package var description: String {
        switch self {
        case .unknownKind(let kind):
            "no templates for the kind '\(kind.printable)': add a folder of that name beside the other kinds"
        case .missingVariable(name: "code", let file, let line):
            "\(file):\(line): the mail has no {{code}}: add the kind to tokens.codes, or write {{#code}}…{{/code}}"
        case .missingVariable(let name, let file, let line):
            "\(file):\(line): no value for {{\(name)}}: give it in the row's variables, "
                + "or make it optional with {{#\(name)}}…{{/\(name)}}"
        case .unprintableVariable(let name, let file, let line):
            "\(file):\(line): {{\(name)}} is an object or a list, which has no text: name a member, or use a section"
        case .missingTokenKey(.notConfigured):
            "the row has no token, and no key is configured that could make one: make a key with outboxctl new-key, set "
                + "tokens.key, and reload outboxd (restart it for a systemd credential)"
        case .missingTokenKey(.unknown(let id)):
            "the token was made with the key \(id), which is not configured any more: add that key to "
                + "tokens.earlier_keys, and reload outboxd (restart it for a systemd credential)"
        case .variablesNotAnObject:
            "the row's variables are not a JSON object: write an object, such as {\"name\": \"Jane\"}"
        case .variablesTooDeep:
            "the row's variables are nested more than \(JSONReader.depthLimit) levels deep: give the templates flat values"
        case .variablesTooLarge:
            "the row's variables have more than \(JSONReader.sizeLimit) octets: give only what the templates show"
        case .invalidRecipient(let reason):
            "the recipient must be \(reason.expected)"
        case .invalidEnvelopeID:
            "the row's envelope_id is not 1 to 64 lower-case letters and digits: let the schema make it"
        case .emptySubject(let file):
            "\(file): the subject is empty"
        }
    }
}
