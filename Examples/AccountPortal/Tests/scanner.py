"""A mail scanner at its worst: it opens every link of a mail before its reader does, runs scripts, follows links and sends
every form it finds, ten times, with digits and junk in the fields. It has the mail, but neither the reader's browser nor
the reader's password, and it does not understand text."""
from __future__ import annotations

import html.parser
import http.client
import http.cookies
import urllib.parse

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

ROUNDS = 10
# A network of its own: what it does must not count as the reader's doing.
SOURCE = ("127.0.1.2", 0)
ADDRESS = "scanner@scanner.example"
READ_FORMS = """return [...document.forms].map(form => [form.getAttribute("action"),
    [...form.querySelectorAll("input")].map(input => [input.type, input.name, input.value])]);"""
SEND_FORM = """window.isOld = true;
    const form = document.forms[arguments[0]];
    form.querySelectorAll("input").forEach((input, index) => { input.value = arguments[1][index]; });
    form.noValidate = true;
    form.submit();"""


class Forms(html.parser.HTMLParser):
    """The forms and links of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.forms: list[tuple[str, dict[str, tuple[str, str]]]] = []
        self.links: list[str] = []
        self._is_open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append((values.get("action", ""), {}))
            self._is_open = True
        elif tag == "input" and self._is_open and values.get("name"):
            self.forms[-1][1][values["name"]] = (values.get("type", "text"), values.get("value", ""))
        elif tag == "a" and values.get("href"):
            self.links.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False


class Browser:
    """A client with cookies and without scripts."""

    def __init__(self, url: str, source: tuple[str, int] | None = None, headers: dict[str, str] | None = None):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.source = parts.hostname or "", parts.port, source
        self.headers = headers or {}
        self.cookies: dict[str, str] = {}

    def send(self, method: str, target: str, fields: dict[str, str] | None = None,
             headers: dict[str, str] | None = None) -> tuple[int, http.client.HTTPMessage, str]:
        """One request, without following a redirect."""
        parts = urllib.parse.urlsplit(target)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=self.source)
        sent = {"Host": f"{self.host}:{self.port}", **self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if fields is not None:
            body = urllib.parse.urlencode(fields)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in http.cookies.SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        connection.close()
        return answer.status, answer.headers, text

    def open(self, target: str, method: str = "GET", fields: dict[str, str] | None = None) -> tuple[int, str, str]:
        """A request and the redirects after it: the last status, address and text."""
        for _ in range(10):
            status, headers, text = self.send(method, target, fields)
            if status not in (301, 302, 303, 307):
                return status, target, text
            target = urllib.parse.urljoin(target, headers["Location"])
            method, fields = ("HEAD" if method == "HEAD" else "GET"), None
        raise AssertionError("redirects without end")

    def form(self, target: str, action: str) -> dict[str, str]:
        """The hidden and preset fields of the page's form with this action."""
        _, _, text = self.open(target)
        for found, fields in Forms(text).forms:
            if found == action:
                return {name: value for name, (_, value) in fields.items()}
        raise AssertionError(f"{target} has no form {action}")


def junk(kind: str, name: str, value: str, index: int, recipient: str, signs_in: bool) -> str:
    """What the scanner writes into a field: digits in half of the rounds, else text."""
    if kind == "hidden":
        return value
    if kind == "email":
        return recipient if signs_in else ADDRESS
    digits = f"{index * 11_111_111 % 100_000_000:08d}"
    if kind == "password":
        return f"{digits}{digits}" if index % 2 else f"scanner junk {index}"
    return digits if index % 2 == 0 or name == "code" and index < 8 else f"junk {index} <x>"


def scan(link: str, recipient: str) -> Browser:
    """Opens a mail's link by HEAD and GET, follows links, and sends each form ten times. Without scripts."""
    for _ in range(2):
        Browser(link, SOURCE).open(link, "HEAD")
    browser = Browser(link, SOURCE)
    pages, seen = [link], set()
    while pages and len(seen) < 12:
        target = pages.pop(0)
        path = urllib.parse.urlsplit(target).path
        if path in seen:
            continue
        seen.add(path)
        _, target, text = browser.open(target)
        seen.add(urllib.parse.urlsplit(target).path)
        found = Forms(text)
        assert "/sign-out" not in [action for action, _ in found.forms], f"the scanner is signed in at {target}"
        for action, _ in found.forms:
            for index in range(ROUNDS):
                # As a careful one would: with the form's present hidden fields.
                _, _, page = browser.open(target)
                fields = next((fields for other, fields in Forms(page).forms if other == action), None)
                if fields is None:
                    break
                signs_in = action == "/sign-in"
                filled = {name: junk(kind, name, value, index, recipient, signs_in)
                          for name, (kind, value) in fields.items()}
                browser.open(urllib.parse.urljoin(target, action), "POST", filled)
        pages += [urllib.parse.urljoin(target, href) for href in found.links if href.startswith("/")]
    return browser


def scan_with_scripts(driver, link: str, recipient: str) -> None:
    """The same for the first page, in a browser with scripts and a profile of its own."""
    for index in range(ROUNDS):
        number = 0
        while True:
            # Each form begins with the link again, because sending one leaves the page.
            driver.get(link)
            forms = driver.execute_script(READ_FORMS)
            if number == len(forms):
                break
            action, fields = forms[number]
            values = [junk(kind, name, value, index, recipient, action == "/sign-in") for kind, name, value in fields]
            driver.execute_script(SEND_FORM, number, values)
            WebDriverWait(driver, 20, 0.02).until(lambda browser: not browser.execute_script("return window.isOld"))
            number += 1
            if number == len(forms):
                break
    assert not driver.find_elements(By.CSS_SELECTOR, "form[action='/sign-out']"), "the scanner is signed in"
