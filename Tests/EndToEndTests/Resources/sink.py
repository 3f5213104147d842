"""A mail server that is not ours (aiosmtpd): keeps every mail in memory and, on SIGTERM, prints them as JSON.

usage: sink.py PORT-FILE
"""

import asyncio
import email
import email.policy
import json
import os
import signal
import sys

from aiosmtpd.smtp import SMTP


class Keep:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        text = message.get_body(("plain",))
        html = message.get_body(("html",))
        self.mails.append({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": message["subject"],
            "message_id": message["message-id"],
            "auto_submitted": message["auto-submitted"],
            "text": text.get_content(),
            "html": html.get_content(),
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
        })
        return "250 2.0.0 Ok: queued as SINK%d" % len(self.mails)


async def main():
    keep = Keep()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(keep, hostname="sink.localhost"), "127.0.0.1", 0)
    stopped = asyncio.Event()
    # Whoever started this may have SIGTERM blocked, which is inherited.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    await stopped.wait()
    server.close()
    json.dump(keep.mails, sys.stdout)


asyncio.run(main())
