// Phrases of mail systems about mail that they could not deliver, as a table. Never weighs one phrase against another:
// see ReportPolicy.

/// The statements that a text can make about a failure.
///
/// Mail systems word their replies freely, so the phrases contain the necessary parts of such a sentence (a mailbox,
/// and that it does not exist) instead of whole quoted sentences. They were tested on the replies of Postfix, Exim,
/// Sendmail, qmail, Exchange, Domino, GroupWise and the large providers, and on reports in other languages.
enum ReportWords: CaseIterable, Sendable {
    // Statements that clear the address, whatever else the text says.
    case expired, rateLimited, mailboxFull, messageTooBig, senderRefused, policyRefusal, contentRefused, systemTrouble
    /// The mailbox is disabled or locked temporarily.
    case disabledForNow
    /// The mailbox was closed because nobody had used it for a long time, also where the text says "blocked".
    case disused
    // Statements about the address itself.
    case mailboxDisabled, badDomain, unknownRecipient
    /// The mail was refused, without a statement about the address: weaker than any statement about it.
    case refused, accessDenied
    /// "Mailbox unavailable", which RFC 5321 §4.2.3 uses for an unknown mailbox, for no access, and for policy.
    case mailboxUnavailable
    // The fate of the mail.
    case permanent, undelivered, delayed
    // Mails that are not reports: a person is away, or a program asks the sender to confirm.
    case absent, challenge

    /// Whether the text makes the statement.
    func isSaid(in text: WordText) -> Bool { Self.patterns[self]?.isSaid(in: text) ?? false }

    private static let patterns = Dictionary(
        uniqueKeysWithValues: allCases.map { words in
            let phrases = words.phrases.split { $0 == "\n" || $0 == "," }.map(\.trimmed).filter { !$0.isEmpty }
            return (words, ReportPatterns(phrases.map { ReportPattern($0, lists: lists) }))
        }
    )

    /// Words for the recipient of a mail.
    static let addressees = Set((lists["who"] ?? "").split(separator: ",").map { String($0) })

    /// Words about a subject other than a dead address: the sender, a host, an amount, a time, a permission. If a text
    /// contains them and is not understood, it blames nobody.
    static let others = Set(
        """
        you your yours we sender senders from author host hosts hostname server servers ip client network provider
        only may must post member members subscriber subscribers subscribed owner policy permission permitted
        allowed reject rejects spf dkim dmarc dns reverse lookup directory
        storage space allowance limit limits limited size full much many most enough used maximum
        until later again present presently moment currently now today tomorrow hour hours day days temporarily yet
        ihr ihre ihrer ihren sie absender vous votre vos expéditeur usted su sus tu remitente vostro tuo mittente
        seu sua você remetente uw u afzender twój nadawca nadawcy вы ваш ваша вас отправитель отправителя
        """.split { $0.isWhitespace }.map { String($0) }
    )

    private static let lists = [
        // The recipient or mailbox of a mail.
        "who": """
        user,users,username,recipient,recipients,mailbox,mailboxes,mail box,mail boxes,account,accounts,address,\
        addresses,addressee,addressees,person,customer,subscriber,alias,inbox,rcpt,member,maildrop,email,mail id,\
        local part,localpart,spectator,userid,user id,destinataire,destinataires,utilisateur,adresse,adresses,compte,boite,boîte,\
        benutzer,empfänger,empfaenger,postfach,konto,teilnehmer,mailadresse,nutzer,usuario,usuário,destinatario,\
        destinatário,cuenta,conta,buzón,buzon,dirección,direccion,endereço,caixa,utente,casella,indirizzo,gebruiker,\
        ontvanger,adres,postbus,odbiorca,użytkownik,uzytkownik,konto,skrzynka,uživatel,adresát,schránka,användare,\
        mottagare,mottagaren,adressen,bruker,brukeren,bruger,brugeren,modtager,modtageren,kullanıcı,alıcı,\
        felhasználó,címzett,utilizator,vastaanottaja,käyttäjä,osoite,пользователь,пользователя,получатель,получателя,\
        адрес,адресат,адресата,ящик,ящика,аккаунт,користувач,одержувач,адреса,\
        casilla,casillas,cuentas,casella postale,caselle,cassetta,utilizador,endereco,adressat,adressaten,usager,abonné,\
        konta,kontem,skrzynki,skrzynka pocztowa,odbiorcy,adresata,adresat,adresu,użytkownika,uzytkownika,kontot,\
        mottagaradressen,mailaddress,mail address,mail drop,účet,příjemce,schranka,uzivatel,hesap,hesabı,fiók,mailaccount,e mailadres,mailadres
        """,
        // Words between "unknown" and the mailbox.
        "kind": """
        local,mail,e,email,e mail,destination,recipient,virtual,final,delivery,final delivery,remote,user,such,\
        or illegal,or invalid,or unknown,or nonexistent,destination mailbox,recipient email,existing,valid,active
        """,
        "not": """
        not,doesnt,does not,dont,do not,didnt,isnt,is not,wasnt,was not,cannot,cant,couldnt,could not,never,\
        nicht,ne,pas,no,non,não,nao,niet,nie,не,ikke,inte
        """,
        "there": """
        exist,exists,existent,found,known,local,recognized,recognised,valid,registered,listed,located,identified,locate,\
        present,gefunden,bekannt,vorhanden,existiert,gültig,trouvé,trouvée,trouve,existe,existen,encontrado,\
        encontrada,esiste,trovato,trovata,valido,valida,gevonden,bestaat,istnieje,найден,найдена,существует,\
        зарегистрирован,знайдено,існує,finnes,findes,finns,eksisterer
        """,
        "unknown": """
        unknown,nonexistent,non existent,non existant,inexistent,inexistant,inexistante,invalid,illegal,undefined,\
        unrecognized,unrecognised,unbekannt,unbekannter,unbekannte,ungültig,ungueltig,inconnu,inconnue,inconnus,\
        invalide,invalides,introuvable,desconocido,desconocida,desconhecido,desconhecida,inexistente,inválido,\
        onbekende,inválida,invalido,invalida,inesistente,inesistenti,no válido,no válida,no valido,no valida,sconosciuto,sconosciuta,errato,errata,errado,\
        errada,erróneo,errónea,erroneo,erronea,incorrecto,incorrecta,incorreto,incorreta,onbekend,nieznany,nieznana,neznámý,neexistuje,nenalezen,okänd,ukjent,ukendt,\
        tuntematon,bilinmiyor,bulunamadı,ismeretlen,necunoscut,неизвестен,неизвестный,неизвестного,отсутствует,\
        невідомий,недействителен
        """,
        "sender": """
        sender,senders,mail from,from address,from domain,return path,reverse path,envelope from,originator,absender,\
        expéditeur,expediteur,émetteur,emetteur,remitente,mittente,remetente,afzender,nadawca,nadawcy,отправитель,\
        отправителя,lexpéditeur,lexpediteur,lémetteur,lemetteur,odesílatel,avsändare,avsändaren,avsender,afsender,lähettäjä,gönderen,feladó
        """,
        "no": """
        rejected,refused,denied,unknown,invalid,blocked,blacklisted,banned,forbidden,unroutable,not,failed,verify,\
        verification,unverified,untrusted,disallowed,must,isnt,cannot,cant,doesnt,does,required,suspicious
        """,
        // Words for an unused account, also the sender's.
        "off": """
        disabled,suspended,inactive,deactivated,closed,locked,terminated,desactivado,desactivada,inactivo,inactiva,\
        disattivato,disattivata,inattivo,inattiva,désactivé,désactivée,inactif,fermé,fermée,deaktiviert,inaktiv,\
        gesperrt,gelöscht,zablokowane,zablokowany,nieaktywne,desativado,desativada,inativo,inativa,gedeactiveerd,\
        заблокирован,заблокирована,отключен
        """,
        "barred": """
        blocked,blacklisted,blocklisted,banned,listed,barred,reputation,rejected,refused,denied,spammer,untrusted,\
        unauthorized,unauthenticated,suspicious,prohibited,restricted
        """,
        "mail": "message,messages,mail,mails,email,emails,transaction,session,connection,delivery,submission,content",
    ]

    private var phrases: String {
        switch self {
        case .expired:
            """
            message/mail/delivery/time/queue/retry/retries/lifetime ~ expired, expired after, maximum time expired
            retry timeout exceeded, retry time not reached, time out, timed out, timeout, too long in ~ queue
            in ~ queue ~ too long, in the queue for, in queue for, queue too long, message too old, too old
            failing for a long time, long failure period, not been collected, gave up after, giving up after
            tried for ~ hours/days, trying for ~ hours/days, within ~ hours/days, after ~ hours/days/hour/day, aborted after
            undeliverable for ~ hours/days, unable to deliver ~ hours/days, connection ~ refused/reset/dropped/lost/closed
            could/couldnt/cannot/cant/unable/failed ~ connect, couldnt ~ connection, no route to host, unreachable
            not reachable, no answer from host, did not/didnt respond, not responding, did not accept ~ requests to connect
            session/connection/connections/idle ~ inactivity, inactivity ~ session/connection/connections
            network error, zeitüberschreitung, abgelaufen, délai ~ dépassé, tiempo ~ agotado, =タイムアウト, =期限切れ, =超时
            """
        case .rateLimited:
            """
            rate limit*, ratelimit*, rate ~ exceed*, rate ~ too high, receiving ~ at a rate, limit* ~ rate
            too many messages/mails/emails ~ from/hour/minute/day/moment/sent/second/today/sender/you/your
            to many messages/mails/emails ~ from/hour/minute/day
            too many connections/sessions/recipients/errors/invalid/unknown/failed/requests/simultaneous/concurrent
            too ~ many connections, too much mail ~ from/hour/moment/now, too quickly, too fast, slow down, slower
            throttl*, unexpected volume, high volume, excessive ~ rate/volume/connections/messages
            sending limit*, sending quota, daily ~ limit/quota ~ exceed*, limit/quota/maximum ~ per hour/minute/day
            exceed* ~ per hour/minute/day, emails per hour, messages per hour, numerous attempts
            more mail at the moment, trop de connexions, =短時間に大量, =頻度, =频率
            """
        case .mailboxFull:
            """
            quota, overquota, quotas, {who} full, {who} is/was/are ~ full, full {who}, mailbox/inbox/account/folder/box ~ full, {who} ~ over ~ limit, storage ~ full/exceed*/limit
            {who} ~ exceed* ~ limit/storage/space/size/allowed/allowance, exceed* ~ storage/space
            mail system full, disk/disc/maildir/folder/mailfolder/inbox/filesystem ~ full
            no space, not enough ~ space/storage, insufficient ~ space/storage/disk, out of ~ space/storage
            lack of ~ space/storage, enough ~ storage, space/storage/allowance ~ used up, disk space, mailbox/inbox/account/maildir ~ size ~ exceed*/limit
            too much mail stored, too much mail data, too many messages on the server, too many messages in
            no hay espacio, sin espacio, sem espaço, plus despace, kein platz, geen ruimte, brak miejsca, nie ma miejsca, zuviele mails auf, zu viele mails auf, postfach ~ voll, speicherplatz, kontingent, boite ~ pleine, boîte ~ pleine
            pleine, cuota, buzón/buzon ~ lleno, llena, cota, cheia, casella ~ piena, spazio ~ esaurito, przepełniona
            przepełnione, pełna, переполнен*, квота, недостаточно места, доступного места, postbus ~ vol, fuld, täynnä
            =容量, =満杯, =がいっぱい, =已满, =已滿, =配额, =空间不足, =용량, =가득
            """
        case .messageTooBig:
            """
            {mail} ~ too big/large, {mail} ~ size ~ exceed*, exceed* ~ size, size ~ exceed*/limit, maximum ~ size
            max ~ size, too large, too big, size limit, zu groß, zu gross, trop volumineux, demasiado grande
            larger than, bigger than, =サイズが大き, =サイズの制限
            """
        case .senderRefused:
            """
            {sender} ~ {no}, {no} {sender}, {sender} ~ {unknown}, {unknown} {sender}, {sender} ~ {not} ~ {there}
            su/tu cuenta, votre compte, ihr/ihrem konto/account, sua conta, vostro/tuo account, twoje konto, uw account
            no such {sender}, no such {who} ~ for/of/in/among ~ {sender}, no ~ mx/exchanger/server/servers ~ {sender}
            {sender} ~ nexiste/nest, reply address, you send/sent/mailed from, you are sending from
            {sender} ~ {off}, {off} {sender}, client/sending/smtp/submitting account/user, removed/deleted/blocked you
            list/lists/table/map/acl of ~ {sender}, bad/null/empty/unroutable/unroutable/unknown/invalid/unverified sender
            empty envelope sender*, not allowed to send, not authorized/authorised to send, not permitted to send
            allowed to send ~ from, no longer accepted as a sender, restricted ~ sender*, send as, sender* list
            only accept* ~ from, domain of sender, your domain, address/identity ~ not verified, not a verified, batv
            backscatter, dsn* ~ not accepted, absender ~ abgelehnt/unbekannt/gesperrt, emetteur invalide
            expéditeur ~ refusé/rejeté/invalide, remitente ~ rechazado
            """
        case .policyRefusal:
            """
            {not} ~ valid ip, spf, dkim, dmarc, dnsbl, rbl, sender policy framework, senderid, blacklist*, black list, blocklist*, block list
            blocking list, spamhaus, spamcop, sorbs, barracuda*, reputation, reverse dns, rdns, ptr, reverse lookup
            reverse name, name ~ ip address, for ip address
            helo, ehlo, client host, hostname ~ not found, cannot find your ~, your ~ hostname, dynamic ip
            your ~ ip/address/server/host/domain/network/connection/hostname/mta ~ {barred}, your ip, your server requires
            ip/client/server/host/domain/you/network/connection ~ blocked/blacklisted/blocklisted/banned/listed/reputation
            ip ~ {barred}
            is/are/was/been/currently/being listed, you have been blocked, been blocked, blocked by/using/due/for, blocked because
            policy, policies, prohibit*, administrativ*, not authorized/authorised/authenticated/permitted/allowed
            notauthorized, unauthorized, unauthenticated, authentication ~ required/failed/failure/fail, requires authentication
            relay ~ denied, relay access, relaying denied, not permitted to relay, unable to relay, cannot relay, not relay
            as a relay, open relay, open proxy, rcpthosts, greylist*, graylist*, grey listed, members only, non member, non members
            nonmember*, closed for/to ~ members/subscribers/outsiders
            gateway ~ not allowed, not a gateway, not local host, not a local host/domain, you/your ~ not ~ in ~ list
            you/sender/senders/poster ~ not a member, not a member of this/the/our/that/any/list/group, not subscribed, moderat*, whitelist*, allowlist*, complaint*, requires confirmation, go away
            accept ~ {mail} from, address of your server/host/ip, dns ~ record*, resource record*, invalid dns, arc ~ fail*, tls, starttls, ssl, certificate*, from/header/name ~ not ~ match, encryption ~ required, security
            password*, passwort, kennwort, contraseña, contrasena, clave incorrecta, mot de passe, senha, wachtwoord, hasło
            adresse ip, dirección ip, direccion ip, indirizzo ip, endereço ip, endereco ip, ip adresse, ipadresse, adres ip
            gesperrt, richtlinie*, bloqué, bloqueado, bloccato, заблокирован*, отклонено, =拒否設定, =受信拒否, =受信を拒否
            =ブロック, =送信者, =差出人, =发件人, =寄件者, =보낸사람, =발신자, =被拒绝, =黑名单, =차단
            """
        case .contentRefused:
            """
            spam*, antispam*, antyspam*, ube, uce, bulk, unsolicited, junk, virus*, malware, trojan, phish*, infected, worm, malicious
            attachment*, content ~ {barred}, {barred} ~ content, unacceptable content, content filter*, content reject*
            {unknown} ~ header/headers/character/characters/body/mime/charset/encoding
            {mail} to/for {who} was/is deleted/removed, {mail} to/for this/the/that {who} was/is deleted/removed
            {mail} to/for this/the/that {who} has/have been deleted/removed
            message content, mail content, content restrictions, content policy, restricted content, spamassassin
            uribl, surbl, pattern detection, message filtered, too many hops ~ spam, dangerous, executable
            werbung, =迷惑メール, =スパム, =ウイルス, =ウィルス, =垃圾邮件, =垃圾郵件, =病毒, =스팸, =바이러스
            spam ~ score, спам*, вирус*, pourriel, correo no deseado
            """
        case .systemTrouble:
            """
            loop*, too many hops, hop count, misconfigur*, configuration error, config error, local error, internal error, servfail, server failure
            {who} agent/backend/database/store/server/service/storage/scanner/filter/node/driver {not} ~ {there}, {unknown} user agent
            locked by ~ process/program/session/thread, locked by another, no such command/option/process/function/program
            accept ~ {mail} at/right ~ time/moment/present/now, accept ~ {mail} now
            may/might/could not exist, may/might no longer exist, dns check/query ~ failed
            server error, system error, software error, lookup ~ failed/failure/error, malformed ~ name server
            name server ~ timeout, temporar* ~ fail*/error/problem/unavailable, try again later, try later, not found try again, tempfail
            address book ~ unavailable/failed/error, mailer error, command died, command output, exit status, out of memory, service ~ unavailable
            not available ~ later, overload*, too busy, maintenance, protocol error, syntax error, bad sequence
            unknown ~ error/reason/failure/problem/cause/status/command/response/exception, remote server returned an error, hostile dns, internationalized, smtputf8, non ascii
            parameter/parameters/argument/arguments ~ {not} ~ {there}, parameter/parameters ~ not ~ implemented/supported
            {unknown} parameter/parameters/argument/arguments, bad/unsupported parameter/parameters/argument/arguments
            orcpt, envid, notify parameter
            """
        case .disabledForNow:
            """
            temporar* ~ disabled/suspended/locked/inactive/blocked/deactivated/closed/frozen/rejected/refused
            disabled/suspended/locked/inactive/blocked/deactivated/closed/frozen temporar*
            """
        case .disused:
            """
            {who} ~ inactivity/disuse/inutilizzo/inattività/inactividad/desuso/inatividade/inactivité/inaktivität/inaktivitaet
            {who} has/is/was been/being/now/currently ~ inactivity, {who} ~ administratively disabled/locked/suspended/deactivated
            {who} ~ inactivité/bezczynności/inactiviteit, {who} ~ falta de uso, {who} ~ falta de utilização, {who} ~ mancato utilizzo
            """
        case .mailboxDisabled:
            """
            {who} ~ disabled/suspended/inactive/deactivated/discontinued/closed/locked/terminated/cancelled/canceled/frozen
            {who} is/was/were/been/has/have ~ deleted/removed, {who} ~ expired/archivee/archivée/gelöscht/geloescht/deaktiviert/stillgelegt
            {who} ~ not ~ active/activated/enabled, {who} ~ inactivity, inactivity ~ {who}, disabled by owner, suspend, currently suspended
            tried to reach ~ inactive/disabled/suspended/deactivated
            disabled/deactivated/suspended/inactive/closed/terminated/deleted/discontinued/frozen {who}
            {who} ~ inaktiv/geschlossen/abgelaufen/opgeheven/uitgeschakeld/gedeactiveerd/gesloten
            {who} ~ inactivo/inactiva/desactivado/desactivada/caducado/caducada/expirado/expirada
            {who} ~ inattivo/inattiva/disattivato/disattivata/scaduto/scaduta/cessato/cessata/inativo/inativa/desativado/desativada
            {who} ~ inactif/inactive/desactive/desactivee/fermé/fermée/clôturé/désactivé/désactivée
            {who} ~ wygasło/wygasła/wyłączone/zablokowane/zablokowana/nieaktywne/nieaktywna
            désactivé, désactivée, deshabilitad*, disabilitat*, desativad*, suspendid*, gesperrtes postfach
            заблокирован ~ ящик, ящик ~ заблокирован, отключен*, nieaktywn*, zablokowan*
            =停止されて, =停用, =已禁用, =被冻结, =휴면, =정지된
            """
        case .badDomain:
            """
            nxdomain, domain/host/hostname {unknown}, domain/host is/was/not ~ {unknown}, {unknown} domain/host/hostname
            {unknown} mail/destination/recipient/email/internet domain/host, no such ~ domain/host, name or service not known
            domain ~ {not} ~ {there}, host not found, host or domain name not found, host could not be found, hostnotfound
            domain/host does not/doesnt accept ~ mail, domain/host/§ § does not/doesnt accept mail, § does not/doesnt accept mail, null mx, no mail exchanger, no ~ mx, no mail server/servers for/found/defined/exist, no mail server/servers ~ domain, domain has no mail server/servers
            nonexistent hosts/domains, non existent hosts/domains, name not found, find any host/domain, cannot/cant/couldnt/not/unable ~ find ~ host/domain ~ by/named/called, no dns ~ found, domain notfound, unrouteable mail domain, unroutable mail domain
            there is no domain, domain ~ could not ~ resolve*, unable to resolve ~ domain, domäne ~ nicht
            domain ~ gibt es nicht, domaine ~ inconnu, domaine ~ nexiste pas, dominio ~ no existe, dominio ~ inesistente
            nom de domaine, домен ~ не ~, =ドメインが存在, =ドメインが見つかり, =ホストが見つかり, =域名不存在, =找不到域
            =도메인이
            """
        case .unknownRecipient:
            """
            {who} ~ {unknown}, {unknown} {who}, {unknown} {kind} {who}, {who} ~ {not} ~ {there}, {not} ~ {there} ~ {who}
            no such ~ {who}, no {who} ~ here/found/by/available/named/called/like/for/with, no {kind} {who} ~ here/found/available
            there is no {who}, there is no {kind} {who}, has/have no {who}, has/have no such ~ {who}, is no {who}
            doesnt/dont/not have a/an ~ account/mailbox/address, doesnt/dont/not handle {mail} for ~ {who}, nobody ~ named/called/by, no one/nobody ~ that {who}, no such id/login/name, no one at this address, no one here by
            not a/an/our ~ {who}, not our {who}, not ~ a known, {who} ~ no longer, no longer a/an/our ~ {who}, no longer works
            no longer employed, no longer with us, has left the/our, fails to locate, tried to reach ~ {not} ~ {there}
            cannot/cant/couldnt find {who}, unable/failed to find {who}, {who} ~ retired/decommissioned, user/mailbox/account/recipient deleted
            nobody of that name
            @ ~ {unknown}, @ ~ {not} ~ {there}, {unknown} @, nosuchuser, userunknown, unknownuser, usernotfound
            recip not found, bad/wrong/incorrect {who}, bad/wrong/incorrect {kind} {who}, bad ~ destination, badrcptto
            badrecipientto, validrcptto, {who} ~ not/isnt in my ~ list, @ is no longer available/valid/active/used, @ is no longer in use, {who} not a member of domain, not/no ~ in ~ recipient/recipients/user/users/mailbox list/table/map/database, not/no ~ in ~ directory, not listed in, has been replaced by
            unrouteable/unroutable address, wasnt found at, was not found at, not found at, missing home directory, mistyped
            {who} ~ gibt es nicht, gibt es nicht, {who} ~ existiert nicht
            nie ma takiego/takiej/tego {who}, nie znaleziono {who}, no hay tal/ningún/ese/esa/un/una {who}
            no se encontró/encuentra el/la {who}, não há tal/nenhum/nenhuma/esse/este {who}, aucun/aucune {who}, geen {who} ~ gevonden
            nexiste plus, existe plus, nexiste pas, existe pas, no existe, não existe, nao existe, non esiste
            nessun utente, bestaat niet, niet gevonden, nie istnieje, finns inte, finnes ikke, findes ikke, eksisterer ikke
            ei ole olemassa, ei löydy, nem létezik, nu există, не существует, не найден, нет такого, не знайдено, не існує
            {who} ~ bulunamadı, böyle bir, neexistuje, δεν υπάρχει
            =存在しません, =存在しない, =見つかりません, =見つからない, =リストにありません, =宛先不明, =アドレス不明, =不明なユーザ, =該当するユーザ, =ユーザーはいません
            =使われておりません, =使用されておりません, kein/keine solcher/solche/solches {who}
            =ユーザがいません, =ユーザーがいません, =宛先が不明, =アドレスに誤り, =不存在, =无此用户, =無此用戶, =查无此人, =找不到收件人
            =用户未找到, =找不到用户, =收件人地址错误, =无效的收件人, =존재하지않, =없는사용자, =없는수신자, =알수없는사용자, =찾을수없
            """
        case .refused:
            """
            {mail} ~ refused/rejected/denied/bounced/blocked/discarded/declined, {mail} ~ not ~ accepted/allowed
            not accepting ~ {mail}, do not accept ~ {mail}, rejecting, transaction failed, refuse* to accept
            """
        case .accessDenied: "access denied, no access, denied"
        case .mailboxUnavailable: "{who} ~ unavailable, {who} ~ not available, mailbox unavaiable, {who} not accepted"
        case .permanent:
            """
            permanent*, fatal, giving up, given up, gave up, give up, no further, nothing more will be tried, not ~ be retried
            no more attempts, will not ~ try, not try again, stopped trying, dauerhaft, endgültig, définitive*, permanente*
            definitiv*, постоянн*, =再送はいたしません, =再送は行いません, =再送しません, =不再尝试, =永久
            """
        case .undelivered:
            """
            undeliverable, undelivered, non deliverable, not deliverable, could/couldnt/cannot/unable/not/failed ~ deliver*
            wasnt delivered, was not delivered, did not/didnt ~ reach, did not receive, not ~ reach, not delivered
            delivery ~ fail*, failed delivery, mail ~ failed, failed mail, failure notice, delivery problem, error during delivery
            failed recipient*, returned mail, automatically rejected, returned to ~ sender, returning ~ to sender, returned message, has been returned
            non delivery, nondelivery, mail ~ returned, unzustellbar*, nicht ~ zugestellt, zustellung ~ fehlgeschlagen
            konnte nicht, non remis, non distribu*, pas ~ délivré, pas ~ remis, échec, no ~ entregado, no se pudo, no ha podido
            impossibile ~ recapitare, non ~ recapitat*, mancato recapito, não ~ entregue, niet ~ bezorgd, onbestelbaar
            nie ~ dostarczon*, nie dostarczono, недоставлен*, не ~ доставлено, невозможно доставить, nedoručiteln*
            ikke ~ leveret/levert, kunde inte, voitu toimittaa
            =配信できません, =配送できません, =届けられません, =お届けできません, =届けることができません, =送信できません, =配信不能
            =配信エラー, =エラーメール, =配信に失敗, =送達できません, =退信, =无法投递, =投递失败, =无法送达, =無法傳送, =无法发送
            =반송, =전달되지, =배달되지, =전송실패
            """
        case .delayed:
            """
            delayed, delay, delaying, warning only, only a warning, will be retried, will retry, keep trying, continue trying
            continue to try, go on trying, still being retried, still trying, will try again, trying again until
            not yet been delivered, not been delivered yet, not yet been able, not yet received, not yet delivered
            no need to resend, need not send it again, do not need to resend, need not resend, no action is required
            has been queued, still in ~ queue, deferred, verzögert, verspätet, retardé*, retard, retrasad*, demorad*
            in ritardo, ritardat*, atrasad*, vertraagd, opóźnion*, отложен*, задерж*, försenad, forsinket
            =遅延, =遅れて, =延迟, =延遲, =지연
            """
        case .absent:
            """
            auto/automatic/automated/autom reply/response/answer/responder/antwort, autoreply, autoresponse, autoresponder
            out of office, out of the office, vacation, away from, away until, on holiday, on leave, i am away, abwesen*
            automatische antwort, réponse automatique, absence, absent, respuesta automática, fuera de la oficina
            risposta automatica, fuori ufficio, resposta automática, ausência, automatisch antwoord, afwezig*, autosvar
            automatyczna odpowiedź, odpowiedź automatyczna, автоответ*, автоматический ответ, otomatik yanıt, frånvaro*
            =自動応答, =自動返信, =不在, =自动回复, =自動回覆, =自动答复, =부재중, =자동응답, =자동회신
            """
        case .challenge:
            """
            confirm ~ message/address/email/mail/sender/yourself/that you, account is protected by, mailbox is protected by
            click ~ link ~, verify ~ sender/human/yourself/person, prove ~ human/person, recipients allowed list
            approved senders, show that a person, until you confirm, is held until, held ~ pending
            """
        }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var text = self
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
