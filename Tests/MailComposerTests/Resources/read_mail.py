"""Reads mails with Python's `email`, which shares no code with outboxd, and says what it found.

Reads the path of a mail from each line of standard input, and answers each with one line: a JSON object (see
describe).
"""

import email
import html.parser
import json
import pathlib
import re
import sys
from email import policy
from email.header import decode_header, make_header
from email.utils import parseaddr


class Links(html.parser.HTMLParser):
    """The links and the readable text of a page; also notices tags that are not closed or closed twice."""

    VOID = {"meta", "br", "hr", "img", "input", "link"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.hrefs = []
        self.link_texts = []
        self.text = []
        self.open = []
        self.unbalanced = []
        self.attributes = []
        self.attribute_values = []

    def handle_starttag(self, tag, attrs):
        self.attributes.extend(name for name, _ in attrs)
        self.attribute_values.extend(value for _, value in attrs if value is not None)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "a":
            self.hrefs.append(dict(attrs)["href"])
            self.link_texts.append("")

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if "style" in self.open or "title" in self.open:
            return
        self.text.append(data)
        if "a" in self.open:
            self.link_texts[-1] += data


def defects(message):
    found = [f"{type(defect).__name__}: {defect}" for part in message.walk() for defect in part.defects]
    for part in message.walk():
        for name, value in part.items():
            found += [f"{name}: {type(defect).__name__}: {defect}" for defect in value.defects]
    return found


def describe(path):
    raw = path.read_bytes()
    message = email.message_from_bytes(raw, policy=policy.default)
    plain, page = message.get_body(("plain",)), message.get_body(("html",))
    found = defects(message)
    links = Links()
    links.feed(page.get_content())
    links.close()
    lines = raw.split(b"\r\n")
    sender = message["From"].addresses[0]
    # The structured parser keeps the white space between the encoded-words of a display name, which RFC 2047 §6.2
    # drops; the older one does not.
    name, _ = parseaddr(email.message_from_bytes(raw, policy=policy.compat32)["From"])
    return {
        "defects": found,
        "unbalanced_tags": links.unbalanced + links.open,
        "subject": message["Subject"],
        "from_name": str(make_header(decode_header(name))),
        "from_address": sender.addr_spec,
        "to": str(message["To"]),
        "date": message["Date"].datetime.isoformat(),
        "header_names": message.keys(),
        "message_id": message["Message-ID"],
        "parts": [part.get_content_type() for part in message.walk()],
        "charsets": [part.get_content_charset() for part in message.iter_parts()],
        "encodings": [part["Content-Transfer-Encoding"] for part in message.iter_parts()],
        "text": plain.get_content().replace("\r\n", "\n"),
        "html": page.get_content().replace("\r\n", "\n"),
        "html_text": " ".join("".join(links.text).split()),
        "hrefs": links.hrefs,
        "link_texts": [" ".join(text.split()) for text in links.link_texts],
        "attributes": sorted(set(links.attributes)),
        "attribute_values": links.attribute_values,
        "longest_line": max(map(len, lines)),
        "longest_body_line": max(map(len, raw.split(b"\r\n\r\n", 1)[1].split(b"\r\n"))),
        "longest_header_line": max(map(len, raw.split(b"\r\n\r\n", 1)[0].split(b"\r\n"))),
        "bare_line_ends": len(re.findall(rb"\r(?!\n)|(?<!\r)\n", raw)),
        "from_lines": sum(line.startswith(b"From ") for line in lines),
        "trailing_spaces": sum(line.endswith((b" ", b"\t")) for line in lines),
        "long_encoded_words": sum(len(word) > 75 for word in re.findall(rb"=\?[^?]+\?[BQ]\?[^?]*\?=", raw)),
    }


for line in sys.stdin:
    print(json.dumps(describe(pathlib.Path(line.rstrip("\n")))), flush=True)
