// The mechanisms of AUTH by name. SASLExchange implements them.

/// A mechanism that the server can offer. PLAIN, LOGIN and CRAM-MD5 check the password,
/// XOAUTH2 and OAUTHBEARER take it as the access token. The others are offered, read
/// the client's response, and fail, as at servers that offer more mechanisms than an account supports.
package enum SASLMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// The de facto standard.
    case login = "LOGIN"
    /// RFC 2195.
    case cramMD5 = "CRAM-MD5"
    /// RFC 2831. Always fails.
    case digestMD5 = "DIGEST-MD5"
    /// Always fails.
    case ntlm = "NTLM"
    /// RFC 4752. Always fails.
    case gssapi = "GSSAPI"
    /// Google's and Microsoft's (https://developers.google.com/gmail/imap/xoauth2-protocol).
    case xoauth2 = "XOAUTH2"
    /// RFC 7628.
    case oauthBearer = "OAUTHBEARER"
}
