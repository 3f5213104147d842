// Why a value is refused, for code that doesn't know the value's place in the file.

/// Thrown by the functions that parse the text of one value.
package enum InvalidSetting: Error, Equatable {
    /// Is shown as "expected …, found "…"; hint".
    case expected(String, hint: String? = nil)
    /// A complete sentence that does not quote the value.
    case refused(String)
}
