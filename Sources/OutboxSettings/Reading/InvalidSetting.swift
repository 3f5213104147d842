// Why a value is refused, before the value's place in the file is known.

/// Thrown by the functions that turn the text of one value into what it means.
package enum InvalidSetting: Error, Equatable {
    /// Reads "expected …, found "…"; hint".
    case expected(String, hint: String? = nil)
    /// A sentence of its own that does not quote the value.
    case refused(String)
}
