// The long part of `fake-smtp --help`. The tests run every example in it.

enum HelpText {
    static let discussion = """
        It takes mail from anyone, for anyone, and delivers nothing; so it listens on loopback only. It speaks ESMTP \
        like a careful server (RFC 5321, STARTTLS, AUTH, SIZE, PIPELINING, 8BITMIME, SMTPUTF8, DSN, LIMITS), rejects a \
        client's mistakes, and misbehaves on demand. SIGTERM or SIGINT ends it with exit code 0 and a summary.

        A FAULT is written  STAGE: ACTION [WHEN] [for ADDRESS]

        STAGE, where it strikes, if the server would have accepted:
          connect            in place of the greeting
          ehlo startTLS mail rcpt data
                             in place of the answer to that command
          auth               in place of the answer to correct credentials
          body               the mail has begun to arrive
          finalDot           in place of the answer to the complete mail
          quit               in place of the 221

        ACTION, what it does:
          reply CODE [ENHANCED] ["TEXT"]
                             4xx and 5xx refuse, 421 also closes; any 2xx says
                             yes (at data 354 does);
                             \\n in TEXT makes a reply of several lines
          raw "OCTETS" [then drop | then reset]
                             sends exactly these octets, with \\r, \\n and \\xHH:
                             empty lines, two replies, half of one; the first
                             complete reply says whether it is a yes
          drop, reset        closes the connection with no answer (FIN, RST)
          delay TIME         waits, then goes on as usual: 200ms, 1.5s, 2m
          hang               never answers
          garbled            sends a line that is no SMTP reply
          accept-drop        finalDot: accepts the mail, then drops
          break-tls          startTLS, or connect with --tls implicit: lets
                             the TLS handshake fail

        WHEN, how often: always, nth N, first N, every N, odds P

        ADDRESS, for whom: at mail that sender; at rcpt that recipient;
        at data, body and finalDot a mail that has it

        EXAMPLES
          fake-smtp --store mails --log
          fake-smtp --fault 'rcpt: reply 450 4.2.1 "Mailbox busy" first 1'
          fake-smtp --fault 'rcpt: reply 550 5.1.1 for bob@example.com'
          fake-smtp --fault 'mail: delay 200ms odds 0.3' --seed 7
          fake-smtp --fault 'finalDot: accept-drop nth 2' --ledger led.jsonl
          fake-smtp --fault 'finalDot: raw "250-\\r\\n\\r\\n251 ok\\r\\n"'
          fake-smtp --fault 'connect: reply 421 4.3.2 "Too busy" every 3'
          fake-smtp --port 0 --port-file port.txt --idle-timeout 10s
          fake-smtp --tls starttls --certificate-file ca.pem
          fake-smtp --user app --password-file password.txt --require-auth
          fake-smtp --ehlo-line 'SIZE 1000' --ehlo-line SMTPUTF8
          fake-smtp --mail-max 20 --without pipelining
        """
}
