// The mail programs that the facts speak of. Only their names.

/// A mail program, or several that treat mails alike.
enum MailProgram: String, CaseIterable, Sendable {
    /// Outlook for Windows up to 2021, which shows mails with Word.
    case outlook = "Outlook for Windows"
    case outlookCom = "Outlook.com"
    /// Yahoo Mail and AOL.
    case yahoo = "Yahoo and AOL"
    case gmail = "Gmail"
    /// Gmail's programs for iOS and Android with an account of another provider.
    case gmailOtherAccounts = "Gmail with another provider's account"
}
