// The mechanisms of AUTH by name. How each goes is in SASLExchange.

/// A mechanism that can be offered. PLAIN, LOGIN and CRAM-MD5 check the password; the others are offered, take what a client
/// sends, and fail, as they do at servers that offer more than they can do for an account.
package enum SASLMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// What clients agree on.
    case login = "LOGIN"
    /// RFC 2195.
    case cramMD5 = "CRAM-MD5"
    /// RFC 2831. Always fails.
    case digestMD5 = "DIGEST-MD5"
    /// Always fails.
    case ntlm = "NTLM"
    /// RFC 4752. Always fails.
    case gssapi = "GSSAPI"
}
