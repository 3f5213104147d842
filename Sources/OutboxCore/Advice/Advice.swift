// What to tell the waiting person: stable codes and their sentences. The view outbox_status decides which code applies.

/// One thing that a person who waits for a mail should do. The raw values are the codes of the view `outbox_status`.
/// The view joins several codes with commas, in the order in which to follow them.
package enum Advice: String, CaseIterable, Sendable {
    /// The link or the code was used.
    case done
    /// The mail is on its way.
    case wait
    /// Our side is late: the mail will come, and requesting another one would not help.
    case deliveryDelayed = "delivery-delayed"
    /// The mail may be in the junk folder.
    case checkJunk = "check-junk"
    /// Request the mail one more time.
    case resend
    /// Only a new mail helps: this one's token no longer works, or it is not sent.
    case requestNew = "request-new"
    /// The address does not take mail.
    case fixAddress = "fix-address"
    /// The person can't solve this alone.
    case contactSupport = "contact-support"

    /// A language of the sentences; the raw values are language tags (BCP 47).
    package enum Language: String, CaseIterable, Sendable {
        case english = "en"
        case japanese = "ja"
    }

    /// Reads the view's column: codes joined by commas. Unknown codes are ignored, because later versions may add
    /// codes.
    package static func codes(in column: String) -> [Advice] {
        column.split(separator: ",").compactMap { Advice(rawValue: String($0)) }
    }

    /// The sentences for the codes of the view's column, joined.
    package static func sentences(for column: String, in language: Language) -> String {
        codes(in: column).map { $0.sentence(in: language) }.joined(separator: language == .japanese ? "" : " ")
    }

    /// The sentence for the person.
    package func sentence(in language: Language) -> String {
        switch language {
        case .english: english
        case .japanese: japanese
        }
    }

    private var english: String {
        switch self {
        case .done: "The link was used; nothing is left to do."
        case .wait: "The mail is on its way; please wait."
        case .deliveryDelayed:
            "Our mail is delayed at the moment. It will come; please do not request it again."
        case .checkJunk: "Look in the Junk folder, too."
        case .resend: "If the mail is not there, request it one more time."
        case .requestNew: "A new mail is needed; please request one."
        case .fixAddress: "The address did not take the mail; check its spelling and request the mail again."
        case .contactSupport:
            "Follow the \u{201C}Didn\u{2019}t receive \u{2026}?\u{201D} instructions, or contact support."
        }
    }

    private var japanese: String {
        switch self {
        case .done: "リンクは使用済みです。お手続きは完了しています。"
        case .wait: "メールを送信しています。しばらくお待ちください。"
        case .deliveryDelayed:
            "現在、メールの配信が遅れています。後ほど届きますので、再度のお申し込みはせずにお待ちください。"
        case .checkJunk: "迷惑メールフォルダもご確認ください。"
        case .resend: "メールが見つからない場合は、もう一度だけお申し込みください。"
        case .requestNew: "新しいメールが必要です。もう一度お申し込みください。"
        case .fixAddress:
            "このアドレスではメールを受け取れませんでした。アドレスに誤りがないか確認し、もう一度お申し込みください。"
        case .contactSupport: "「メールが届かない場合」の手順に従うか、サポートにお問い合わせください。"
        }
    }
}
