// Turns a mail that could not be composed into a failed attempt. Never judges the failure (see FailurePolicy).

import MailComposer
import OutboxCore

extension CompositionError {
    /// The attempt's failure at the stage `compose`.
    var failure: TransmissionFailure {
        let fault: CompositionFault =
            switch self {
            case .unknownKind: .unknownKind
            case .invalidRecipient: .badRecipient
            case .missingTokenKey: .missingTokenKey
            // The configuration decides about these, so the row is not at fault.
            case .missingVariable(name: "link", _, _), .missingVariable(name: "token", _, _),
                .missingVariable(name: "code", _, _):
                .missingTokenKey
            case .missingVariable, .unprintableVariable, .variablesNotAnObject, .variablesTooDeep, .variablesTooLarge,
                .invalidEnvelopeID, .emptySubject:
                .badValues
            }
        return TransmissionFailure(stage: .compose, cause: .composition(fault), detail: description)
    }
}
