// The words and short phrases that relays use for the same thing. Says nothing of what follows from them.
//
// Collected from the replies in the providers' documentation and the servers' source: Postfix's and Exim's messages,
// Microsoft's list of non-delivery reports, Google's SMTP error messages, Amazon SES's SMTP responses, the pages of
// SendGrid, Mailgun, SparkPost, GoDaddy, Tencent, NetEase, Orange and La Poste, and public bug reports.
// Tests/OutboxCoreTests/Resources/replies.tsv quotes the replies, with the source of each.

extension WordList {
    /// All lists; a list may refer to those above it. docs/failures.md shows them.
    package static let all: [WordList] = verdicts + quotas + people + ourselves + others

    private static let verdicts = [
        WordList(
            "not",
            """
            not, no, isnt, arent, wasnt, werent, hasnt, havent, cannot, cant, couldnt, mustnt, wont, doesnt, dont, didnt,
            never, unable, neither, without, lack, lacks, lacking, pas
            """
        ),
        WordList(
            "refused",
            """
            reject*, refus*, abgelehnt*, denied, denies, deny, disallow*, prohibit*, forbid*, unauthori*, block*, banned, deferred,
            {not} … allowed/permitted/permitting/accept*/authori*/welcome/entitled/eligible,
            {not} have/has … permission*/right*/privilege*
            """
        ),
        WordList(
            "faulty",
            """
            invalid*, unknown, bad, bogus, illegal, malformed, forged, spoof*, nonexist*, unverif*, unconfirmed, unconfigured,
            unregistered, unrouteable, unroutable, unresolv*, mismatch*, incorrect, inconnu*, non exist*,
            {not} … verified/confirmed/configured/registered/validated/approved/activated/owned/exist/exists/found,
            {not} … resolv*/match*/recogni*/valid/known/local/belong*/owner,
            {not} verify/validate, verify/verification/callout/callback/validation … fail*/unsuccess*/error,
            fail* … verif*/verification/validation/callout/callback
            """
        ),
        WordList(
            "stopped",
            """
            suspend*, suspension, disabl*, deactivat*, block*, lock*, terminat*, paus*, banned, restrict*, clos*,
            inactive, expired, frozen, revoked, cancel*, denied, hold, unpaid, lapsed, switched off, turned off,
            {not} … active/activ*/enabled/approved/confirmed/verified/paid
            """
        ),
    ]

    private static let quotas = [
        WordList(
            "limit",
            "quota*, limit*, allowance*, threshold*, maximum*, max, cap, allotment*, allocation*, versandlimit*"
        ),
        WordList(
            "exceeded",
            """
            exceed*, reach*, hit, over, above, surpass*, exhaust*, deplet*, beyond, overrun*, maxed, met, spent,
            used up, ran out, run out, out of, too many, too much, no more, more than, consumed, atteint*, depass*, superado, erreicht
            """
        ),
        WordList("mails", "message*, mail, mails, email*, e mail*, recipient*, rcpt*, letter*, submission*, courriel*"),
        WordList(
            "sending",
            """
            send, sends, sending, sent, submission*, submit*, outgoing, outbound, relay, relays, relayed, sender*,
            dispatch*, transmi*, envoi*, denvoi
            """
        ),
        WordList(
            "a-month",
            """
            monthly, weekly, yearly, annual*, per month/week/year, this month/week/year, of the month, each month, a month,
            per # days, {mails} month, billing period/cycle
            """
        ),
        WordList(
            "a-day",
            """
            daily, today, per day, this day, for/of/in the day, each day, every day, per 24 hour*, per 24h,
            24 hour*/h sending/limit*/quota*/period/window/allowance, last/past/previous 24 hour*, rolling 24 hour*,
            same day, until/till tomorrow, next day, par jour, journalier*, diario, for one day, until midnight,
            24h sending/limit/quota/period, {mails} a/in/within/every day/24h, {mails} day,
            {mails} in/within/every 24 hour*
            """
        ),
        WordList(
            "an-hour",
            """
            hourly, per hour*, per # hour*, this hour, for/of/in the hour, each hour, every hour, last/past/previous hour,
            last/past # hour*, next hour, # hour* limit*/quota*/period/window, {mails} an/in/within/every hour, {mails} in/within/every # hour*, {mails} hour/h, par heure,
            per 1h, per h, stundlich*, stuendlich*
            """
        ),
        WordList(
            "a-minute",
            """
            per minute*, per # minute*, per # min*, per min, this minute, each minute, last/past minute,
            last/past # minute*, {mails} a/every minute, {mails} minute/min, every # minute*, # minute* limit*/quota*/period/window, par minute
            """
        ),
        WordList(
            "a-second",
            "{mails} second/sec, per second*, per # second*, per sec, each second, every second, {mails} a second"
        ),
        WordList(
            "connections",
            """
            connection*, session*, concurren*, simultaneous*, parallel, requests, logins, login attempt*, connexion*,
            thread, threads
            """
        ),
        WordList(
            "too-fast",
            """
            throttl*, rate limit*, ratelimit*, rate … exceed*, exceed* … rate, slow down, slowdown, slower,
            too fast/quickly/rapidly/often/frequent*, faster than, rate … high, frequency … limit*/exceed*, limit* … frequency,
            excess*/unexpected/unusual*/abnormal*/high/suspicious volume/rate/traffic/number/amount,
            reduce/lower … rate/volume/speed/frequency, sending rate, message rate, send rate, burst limit, please slow, wait … between,
            more often than, trop vite
            """
        ),
        WordList(
            "size",
            """
            size*, too large/big, larger, bigger, bytes, kb, mb, gb, megabyte*, attachment*, header*, hop, hops, length,
            taille
            """
        ),
    ]

    private static let people = [
        WordList(
            "mailbox",
            """
            mailbox*, inbox*, mail box*, mail folder*, mailfolder*, maildir*, mail store, mailstore, boite*, postfach*,
            buzon
            """
        ),
        WordList(
            "addressee",
            """
            {mailbox}, user*, recipient*, account*, address*, alias*, person, addressee*, member*, rcpt, local part,
            localpart, utilisateur*, destinataire*, empfanger*, empfaenger*, benutzer*, usuario*, destinatari*, utente*,
            casella, adresse*
            """
        ),
        WordList(
            "unknown",
            """
            unknown, nonexist*, non exist*, inexist*, unrecogni*, inconnu*, unbekannt*, desconocid*, sconosciut*,
            {not} … exist/exists/existing/found/known/recogni*/located/listed, {not} know, {not} local, {not} a valid/known/active/local,
            {not} present in, {not} in … directory,
            {not} … valid mailbox/user/recipient/address
            """
        ),
        WordList(
            "no-such-user",
            """
            {addressee} … {unknown}, {unknown} … {addressee}, userunknown,
            trying/tried to reach/contact … {unknown}, @ {unknown}, no such user*/{addressee},
            no {mailbox}/account/user … here/name/found/available, no one … address, invalid/bad/wrong {addressee},
            {addressee} … invalid, badrcptto, {not} have … account, recip {not} found, existe … usuario/destinatario, unrouteable/unroutable address
            """
        ),
        WordList(
            "over-quota",
            """
            over quota, overquota, over the/its/his/her/their/allowed/disk/storage quota, over … allowed quota,
            exceed*/over/full … storage/space/disk, storage/space/disk … exceed*/full/limit*/used,
            disk/disc/mailbox/storage quota, quota violation, {not} enough/sufficient … space/storage/room,
            no/without storage/space/room, {not} … space/storage/room left/available,
            {mailbox} … full/quota/exceed*/overflow*/pleine*/pleno/voll/lleno/piena/limit*/over,
            full/overfull {mailbox}, quota exceeded by
            """
        ),
        WordList(
            "receives-too-much",
            """
            is/are/been receiving, receiving mail*/message*/email* at/too/faster, receiving too, receiving limit*/rate,
            receive limit*/quota/rate, recipient*/user*/they/{mailbox} … can/may/could/cant/cannot receive,
            {not} receive more, {mailbox} … receives,
            recipient*/user*/{mailbox} … received too, recipient thread limit, frequency of receiving, receives/gets too,
            user/recipient/{mailbox}/person has … too many {mails} today
            """
        ),
        WordList(
            "temporarily",
            """
            temporar*, momentan*, currently, for now, for/at the moment, right now, at this time, try … again, try later, try … later,
            retry … later, again later, come back later, later time, resend … later, due to … inactiv*, extended inactivity,
            just now, holiday*, vacation, pending,
            plus tard
            """
        ),
        WordList(
            "own-choice",
            """
            {refused}/banned/blacklisted by … recipient*/user/addressee, customer block*, recipient preference*/filter*,
            recipients … block/black/deny/personal/preference*, allowed senders, allow list, allowlist, safe sender*,
            {not} in … allowed/approved/safe/white*, whitelist*, only accept* … from, accept* … only from, members only,
            {not} authenticated for/by organi*/group/mailbox/public, authenticated senders, internal senders,
            recipient*/user … {not} accept* … from, moderat*, {refused} … send* … to this/the group/list, recipient*/user/person/addressee … blocked you,
            {mails} from … members, closed to, members … may
            """
        ),
    ]

    private static let ourselves = [
        WordList(
            "sender",
            """
            sender*, mailfrom, mail from @/%host/address/addresses/domain/command/user/account, from address/addr/header/field/domain/email/line, header from, envelope from,
            from domain, return path, reverse path, badmailfrom, sending address/domain*/email/user/identity, identity,
            identities, emetteur*, expediteur*, absender*, mittente, remitente, originator*, return address*,
            author, authors
            """
        ),
        WordList(
            "our-account",
            """
            your … account/subscription/plan/tenant/service/user, sending/sender*/smtp/outbound/outgoing account/service,
            sending/smtp/outbound/outgoing/submission access/privilege*/permission*, tenant, account outbound*
            """
        ),
        WordList(
            "our-host",
            """
            ip, ips, netblock, client host/address/server/name/hostname/network, client %ip/%host,
            your host/server/mailserver/mta/network/hostname/isp/provider/range/subnet/machine,
            your mail/sending/smtp server/host/system, sending/connecting/originating/source host/server/mta/address/network,
            connection* from, access from, mail server at/%ip, mail/mails/message/messages/email from %ip, sender* %ip
            """
        ),
        WordList(
            "listed",
            """
            listed, blacklist*, black list*, blocklist*, block list*, denylist*, deny list*, dnsbl*, rbl, rbls, banned,
            spamhaus, spamcop, sorbs, sbl, xbl, pbl, dbl, %list
            """
        ),
        WordList(
            "blocklist",
            """
            blacklist*, black list*, blocklist*, block list*, denylist*, dnsbl*, dns bl, rbl, rbls, spamhaus, spam haus,
            spamcop, sorbs, %list, blocked/listed using/at/by/in/on %host
            """
        ),
        WordList(
            "bad-standing",
            """
            reputation, poor/bad/low … score, complaint*, unsolicited … originating, dynamic ip*, dynamic/residential/dialup/generic address*,
            spam*/abus*/suspicious … from your/this/the ip/host/network/server/domain/%ip, suspected spam ip/sender,
            suspicious activit*, suspected bounce, ip suspicious, {not} allowed/permitted to connect, open proxy/relay, ip/ips/host … spammer*, like/a spammer, spammer list,
            server of your isp/provider, ip source bloquee
            """
        ),
        WordList(
            "reverse-dns",
            """
            ptr, reverse dns/lookup/hostname/name/host/resolution/entry/record*/mapping/address, reversedns, rdns,
            pointer record*, fcrdns, forward confirmed, {not} find/resolve/found … your … hostname/address/host/ip,
            unresolvable relay, ip name lookup, mismatch* client ip, {not} match … ip … hostname, no hostname, no host name,
            hostname/name … ip address, name of your address
            """
        ),
        WordList("spf", "spf, sender policy framework, sender id, senderid, openspf"),
        WordList("dkim", "dkim, domainkeys, domain keys"),
        WordList("dmarc", "dmarc, {not} … aligned, published policy"),
        WordList(
            "unauthenticated",
            """
            unauthenticated mail/email/message*/sender*, sender … unauthenticated, {not}/fail* … authentication check*,
            authentication level, authentication information, {not} … authenticate with either
            """
        ),
        WordList("helo", "helo, ehlo"),
    ]

    private static let others = [
        WordList(
            "us",
            """
            you, youre, youve, your, yours, yourself, sender, senders, client, mailer, customer, tenant, subscription*, plan, upgrade,
            prepaid, contractual, credit*, login, smtp user, outgoing, outbound, bandwidth, cleartext, hostname, host name,
            this host/client/server/customer/account is, vous, votre, sie haben, ihr, ihre, su cuenta
            """
        ),
        WordList(
            "look-up",
            "lookup*, look up, looking up, directory, ldap, database, callout, callback, verification, dns, name service"
        ),
        WordList(
            "unexplained",
            """
            unknown reason/error/problem/cause/failure/status/issue/command/option/parameter,
            parameter*/argument* … {not}/unsupported
            """
        ),
        WordList(
            "relaying",
            """
            relay access denied, relaying denied, relay {not} permitted,
            unable to relay, {not} permitted/allowed to relay, no relaying
            """
        ),
        WordList("non-ascii", "non ascii, nonascii, smtputf8, utf8, utf 8, unicode, internationali*, eai"),
        WordList("virus", "virus*, malware*, infected, trojan*, malicious, worm, worms"),
        WordList(
            "spam",
            """
            as/is/be/like/likely/possible/possibly/probable/probably/suspected/considered spam, spammy, unsolicited,
            spam message*/mail/content/email/detected/score/found/rejected/refused/blocked/not, {refused} … spam,
            phish*, junk mail/email, bulk mail/email, ube
            """
        ),
        WordList(
            "policy",
            """
            {refused} … policy/policies/content, policy/policies … {refused}/violat*/prohibit*, content … {refused}/filter*,
            policy reasons, local policy, security policies, policy violation, {not} accepted … policy
            """
        ),
    ]
}
