// Why a value is refused, for code that doesn't know the value's place in the file.

import OutboxCore

/// Thrown by the functions that parse the text of one value.
package enum InvalidSetting: Error, Equatable {
    /// Is shown as "expected …, found "…"; hint".
    case expected(String, hint: String? = nil)
    /// A complete sentence that does not quote the value.
    case refused(String)
}

extension InvalidSetting {
    init(_ link: InvalidLink) {
        self =
            switch link {
            case .expected(let expected, let hint): .expected(expected, hint: hint)
            case .refused(let reason): .refused(reason)
            }
    }
}
