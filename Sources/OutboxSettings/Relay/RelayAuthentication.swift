// The mechanisms of AUTH that can be asked for by name. Never says which one a relay offers.

/// How to authenticate at a relay (RFC 4954), by the names of the registry of SASL mechanisms in lower case.
package enum RelayAuthentication: String, Sendable, Equatable, CaseIterable {
    /// RFC 4616.
    case plain
    /// What many servers offer beside it; never standardised.
    case login
    /// RFC 2195.
    case cramMD5 = "cram-md5"
    /// RFC 2831.
    case digestMD5 = "digest-md5"
    /// Microsoft's.
    case ntlm
    /// Kerberos (RFC 4752).
    case gssapi
}
