"""Tests of the portal without a browser: forms of other sites, headers, cookies, throttles, restarts. Each sentence of
`TESTS` is one test; each fails when its protection is taken out."""
from __future__ import annotations

import contextlib
import sqlite3
import statistics
import threading
import time

from scanner import Browser, scan
from stack import Stack

PASSWORD = "correct horse battery"


def query(stack: Stack, sql: str, *values: object) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(stack.folder / "portal.db", timeout=10)) as database:
        return database.execute(sql, values).fetchall()


def send(stack: Stack, browser: Browser, path: str, **fields: str) -> tuple[int, str, str]:
    """Opens the page of a form and sends it."""
    hidden = browser.form(stack.url + path, path)
    return browser.open(stack.url + path, "POST", {**hidden, **fields})


def sign_up(stack: Stack, address: str) -> Browser:
    browser = Browser(stack.url)
    status, target, _ = send(stack, browser, "/sign-up", address=address, password=PASSWORD)
    assert (status, target) == (200, stack.url + "/sign-up/mail"), (status, target)
    return browser


def verified(stack: Stack, address: str) -> Browser:
    browser = sign_up(stack, address)
    browser.open(stack.await_mail(address, "Verify your email address").link)
    status, target, text = send(stack, browser, "/sign-in", address=address, password=PASSWORD)
    assert "verified" in text, (status, target)
    return browser


def forms_of_other_sites_change_nothing(stack: Stack) -> None:
    browser = Browser(stack.url)
    fields = {"address": "victim@example.com", "password": PASSWORD}
    hidden = browser.form(stack.url + "/sign-up", "/sign-up")
    other = Browser(stack.url).form(stack.url + "/sign-up", "/sign-up")
    assert browser.send("POST", "/sign-up", fields)[0] == 403
    assert browser.send("POST", "/sign-up", {**other, **fields})[0] == 403
    for site in ("cross-site", "same-site"):
        assert browser.send("POST", "/sign-up", {**hidden, **fields}, {"Sec-Fetch-Site": site})[0] == 403
    assert browser.send("POST", "/sign-up", {**hidden, **fields}, {"Content-Type": "text/plain"})[0] == 415
    assert browser.send("POST", "/sign-up", {**hidden, **fields, "more": "x" * 20_000})[0] == 413
    assert not query(stack, "SELECT 1 FROM portal_user WHERE address = 'victim@example.com'")
    assert browser.send("POST", "/sign-up", {**hidden, **fields}, {"Sec-Fetch-Site": "same-origin"})[0] == 303


def every_answer_keeps_the_page_private(stack: Stack) -> None:
    browser = Browser(stack.url)
    for path in ("/sign-in", "/sign-up", "/forgot-password", "/reset-password/new", "/help", "/missing",
                 "/verify-email?token=" + "a" * 43):
        _, headers, text = browser.send("GET", path)
        assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer", path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script" not in policy and "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy, path
        assert "<script" not in text and "style=" not in text, path
        for cookie in headers.get_all("Set-Cookie") or []:
            assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie, cookie


def values_of_forms_are_escaped(stack: Stack) -> None:
    evil = "\"><script>alert(1)</script>'&@example.com"
    _, _, text = send(stack, Browser(stack.url), "/sign-in", address=evil, password="x")
    assert "<script" not in text and "&lt;script&gt;" in text


def opening_a_link_changes_nothing_and_hides_the_token(stack: Stack) -> None:
    browser = sign_up(stack, "opener@example.com")
    link = stack.await_mail("opener@example.com", "Verify your email address").link
    before = query(stack, "SELECT * FROM outbox_token") + query(stack, "SELECT * FROM portal_user")
    for method in ("HEAD", "GET", "HEAD"):
        status, headers, _ = browser.send(method, link)
        assert status == 303 and headers["Location"] == "/sign-in", (status, headers["Location"])
    assert query(stack, "SELECT * FROM outbox_token") + query(stack, "SELECT * FROM portal_user") == before


def another_persons_link_verifies_nobody(stack: Stack) -> None:
    sign_up(stack, "first@example.com")
    thief = sign_up(stack, "thief@example.com")
    thief.open(stack.await_mail("first@example.com", "Verify your email address").link)
    send(stack, thief, "/sign-in", address="thief@example.com", password=PASSWORD)
    rows = query(stack, "SELECT verified_at FROM portal_user WHERE address IN ('first@example.com', 'thief@example.com')")
    assert rows == [(None,), (None,)], rows
    assert not query(stack, "SELECT 1 FROM outbox_status WHERE recipient = 'first@example.com' AND redeemed_at > 0")


def a_second_sign_up_mails_the_owner_and_looks_the_same(stack: Stack) -> None:
    verified(stack, "owner@example.com")
    hash_before = query(stack, "SELECT password FROM portal_user WHERE address = 'owner@example.com'")
    stranger = Browser(stack.url)
    status, target, text = send(stack, stranger, "/sign-up", address="Owner@example.com", password="stranger password")
    assert (status, target) == (200, stack.url + "/sign-up/mail") and "Verify your email address" in text
    stack.await_mail("owner@example.com", "You have an account already")
    assert query(stack, "SELECT password FROM portal_user WHERE address = 'owner@example.com'") == hash_before


def a_reset_ends_all_sessions_and_only_once(stack: Stack) -> None:
    browser = verified(stack, "reset@example.com")
    old = browser.cookies["session"]
    asking = Browser(stack.url)
    send(stack, asking, "/forgot-password", address="reset@example.com")
    mail = stack.await_mail("reset@example.com", "Reset your password")
    asking.open(mail.link)
    fields = {**asking.form(stack.url + "/reset-password/new", "/reset-password/new"), "password": "another password"}
    results: list[int] = []

    def redeem() -> None:
        racer = Browser(stack.url)
        racer.cookies = dict(asking.cookies)
        results.append(racer.send("POST", "/reset-password/new", fields)[0])

    threads = [threading.Thread(target=redeem) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [303] + [422] * 9, results
    assert browser.open(stack.url + "/")[1].endswith("/sign-in"), f"the old session {old[:3]}… goes on"
    stack.await_mail("reset@example.com", "Your password was changed")
    assert len(stack.mails("reset@example.com")) == 3


def five_wrong_codes_end_the_code_but_not_the_link(stack: Stack) -> None:
    verified(stack, "codes@example.com")
    asking = Browser(stack.url)
    send(stack, asking, "/forgot-password", address="codes@example.com")
    mail = stack.await_mail("codes@example.com", "Reset your password")
    guesser = Browser(stack.url)
    wrong = f"{(int(mail.code) + 1) % 10**8:08d}"
    for code in [wrong] * 5 + [mail.code]:
        status, _, _ = send(stack, guesser, "/reset-password/code", address="codes@example.com", code=code,
                            password="guessed password")
        assert status == 422, status
    asking.open(mail.link)
    status, target, _ = send(stack, asking, "/reset-password/new", password="another password")
    assert (status, target) == (200, stack.url + "/"), (status, target)


def strangers_cant_lock_a_person_out(stack: Stack) -> None:
    person = verified(stack, "guarded@example.com")
    stranger = Browser(stack.url, ("127.0.3.3", 0))
    statuses = [send(stack, stranger, "/sign-in", address="guarded@example.com", password=f"guess {index}")[0]
                for index in range(32)]
    assert statuses == [422] * 30 + [429] * 2, statuses
    everywhere = [Browser(stack.url, (f"127.2.{network}.1", 0)) for network in range(10)]
    statuses = [send(stack, everywhere[index % 10], "/sign-in", address="guarded@example.com", password="guess")[0]
                for index in range(172)]
    assert statuses[:168] == [422] * 168 and statuses[-2:] == [429] * 2, statuses
    status, target, _ = send(stack, person, "/sign-in", address="guarded@example.com", password=PASSWORD)
    assert (status, target) == (200, stack.url + "/"), (status, target)


def mails_are_limited_by_address_network_and_domain(stack: Stack) -> None:
    def ask(network: int, address: str) -> int:
        return send(stack, Browser(stack.url, (f"127.1.{network}.1", 0)), "/forgot-password", address=address)[0]

    # Whether the address has an account makes no difference.
    for address in ("guarded@example.com", "unknown@elsewhere.example"):
        statuses = [ask(network, address) for network in range(1, 9)]
        assert statuses.count(429) >= 2 and statuses[-2:] == [429, 429], statuses
    statuses = [ask(20, f"person{index}@d{index}.example") for index in range(62)]
    assert statuses == [200] * 60 + [429] * 2, statuses
    statuses = [ask(30 + index // 50, f"person{index}@bombed.example") for index in range(202)]
    assert statuses == [200] * 200 + [429] * 2, statuses


def administrator(stack: Stack) -> Browser:
    """Signs in as somebody with Full Access. The first one who is verified has it."""
    address = query(stack, "SELECT address FROM portal_user WHERE has_full_access = 1 AND verified_at > 0")[0][0]
    browser = Browser(stack.url)
    send(stack, browser, "/sign-in", address=address, password=PASSWORD)
    return browser


def act(stack: Stack, browser: Browser, path: str, **fields: str) -> tuple[int, str]:
    """Sends a form of the users' page."""
    token = browser.form(stack.url + "/users", "/users/invite")["form_token"]
    status, _, text = browser.open(stack.url + path, "POST", {"form_token": token, **fields})
    return status, text


def account(stack: Stack, address: str) -> str:
    return str(query(stack, "SELECT id FROM portal_user WHERE address = ?", address)[0][0])


def a_scanner_that_sends_every_form_gets_nowhere(stack: Stack) -> None:
    verified(stack, "scanned@example.com")
    asking = Browser(stack.url)
    send(stack, asking, "/forgot-password", address="scanned@example.com")
    mail = stack.await_mail("scanned@example.com", "Reset your password")
    before = query(stack, "SELECT password FROM portal_user WHERE address = 'scanned@example.com'")
    scan(mail.link, "scanned@example.com")
    assert query(stack, "SELECT password FROM portal_user WHERE address = 'scanned@example.com'") == before
    asking.open(mail.link)
    status, target, _ = send(stack, asking, "/reset-password/new", password="another password")
    assert (status, target) == (200, stack.url + "/"), (status, target)


def the_last_administrator_stays(stack: Stack) -> None:
    verified(stack, "old@example.com")
    old = administrator(stack)
    address = query(stack, "SELECT address FROM portal_user WHERE has_full_access = 1")[0][0]
    for path in ("/users/remove", "/users/access"):
        status, text = act(stack, old, path, account=account(stack, address))
        assert status == 422 and "last user with Full Access" in text, (path, status)
    # Somebody who can't sign in yet doesn't count.
    act(stack, old, "/users/invite", address="invited@example.com")
    act(stack, old, "/users/access", account=account(stack, "invited@example.com"), give="1")
    assert act(stack, old, "/users/remove", account=account(stack, address))[0] == 422


def an_invited_user_gets_in_and_takes_over(stack: Stack) -> None:
    old = administrator(stack)
    old_address = query(stack, "SELECT address FROM portal_user WHERE has_full_access = 1 AND verified_at > 0")[0][0]
    assert act(stack, old, "/users/invite", address="new@example.com")[0] == 200
    stack.await_mail("new@example.com", "You are invited")
    new = Browser(stack.url)
    assert send(stack, new, "/sign-in", address="new@example.com", password="")[0] == 422
    send(stack, new, "/forgot-password", address="new@example.com")
    new.open(stack.await_mail("new@example.com", "Reset your password").link)
    send(stack, new, "/reset-password/new", password=PASSWORD)
    assert new.open(stack.url + "/users")[0] == 403
    assert act(stack, old, "/users/access", account=account(stack, "new@example.com"), give="1")[0] == 200
    status, text = act(stack, new, "/users/remove", account=account(stack, old_address))
    assert status == 200 and "removed" in text and "gave Full Access to" in text, text
    assert old.open(stack.url + "/")[1].endswith("/sign-in"), "the removed user is still signed in"
    assert send(stack, Browser(stack.url), "/sign-in", address=old_address, password=PASSWORD)[0] == 422


def two_administrators_cant_remove_each_other_at_once(stack: Stack) -> None:
    first = administrator(stack)
    verified(stack, "second@example.com")
    address = query(stack, "SELECT address FROM portal_user WHERE has_full_access = 1 AND verified_at > 0")[0][0]
    act(stack, first, "/users/access", account=account(stack, "second@example.com"), give="1")
    second = Browser(stack.url)
    send(stack, second, "/sign-in", address="second@example.com", password=PASSWORD)
    tokens = [browser.form(stack.url + "/users", "/users/invite")["form_token"] for browser in (first, second)]
    accounts = [account(stack, "second@example.com"), account(stack, address)]
    threads = [
        threading.Thread(target=browser.send, args=("POST", "/users/remove", {"form_token": token, "account": other}))
        for browser, token, other in zip((first, second), tokens, accounts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = query(stack, "SELECT address FROM portal_user WHERE has_full_access = 1 AND verified_at > 0")
    assert len(left) == 1, left


def a_mail_administrator_finds_a_mail_by_both_ids(stack: Stack) -> None:
    sign_up(stack, "traced@example.com")
    mail = stack.await_mail("traced@example.com", "Verify your email address")
    deadline = time.monotonic() + 10
    while not (rows := query(stack, "SELECT queue_id FROM outbox_attempt JOIN outbox ON outbox.id = message_id "
                             "WHERE recipient = 'traced@example.com' AND queue_id IS NOT NULL")):
        assert time.monotonic() < deadline, "no queue id"
        time.sleep(0.05)
    for identifier in (str(mail.message["Message-ID"]), rows[0][0]):
        _, _, text = send(stack, Browser(stack.url), "/mail-administrator", address="traced@example.com", id=identifier)
        assert "accepted" in text and rows[0][0] in text and "250" in text, (identifier, text)
        _, _, text = send(stack, Browser(stack.url), "/mail-administrator", address="other@example.com", id=identifier)
        assert "No such mail" in text, identifier


def nothing_of_a_mail_is_in_the_files(stack: Stack) -> None:
    files = [path for path in stack.folder.iterdir() if path.is_file() and not path.name.endswith("-key")]
    for mail in stack.mails():
        if "token=" not in mail.part("plain"):
            continue
        for path in files:
            data = path.read_bytes()
            assert mail.link.split("token=")[1].encode() not in data, f"{path.name} has the token of {mail.path.name}"
            assert b"correct horse" not in data, f"{path.name} has a password"


TESTS = [
    forms_of_other_sites_change_nothing, every_answer_keeps_the_page_private, values_of_forms_are_escaped,
    opening_a_link_changes_nothing_and_hides_the_token, another_persons_link_verifies_nobody,
    a_second_sign_up_mails_the_owner_and_looks_the_same, a_reset_ends_all_sessions_and_only_once,
    five_wrong_codes_end_the_code_but_not_the_link, a_scanner_that_sends_every_form_gets_nowhere, the_last_administrator_stays,
    an_invited_user_gets_in_and_takes_over, two_administrators_cant_remove_each_other_at_once,
    a_mail_administrator_finds_a_mail_by_both_ids, strangers_cant_lock_a_person_out,
    mails_are_limited_by_address_network_and_domain, nothing_of_a_mail_is_in_the_files,
]


def equal_times(stack: Stack, count: int = 200) -> None:
    """Asks for reset mails to known and unknown addresses in turn. The portal runs without throttles."""
    verified(stack, "known@example.com")
    browser = Browser(stack.url)
    hidden = browser.form(stack.url + "/forgot-password", "/forgot-password")
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for index in range(count * 2):
        # The order of each pair changes, so that what one request leaves behind falls on both.
        kind = ("known", "unknown", "unknown", "known")[index % 4]
        address = "known@example.com" if kind == "known" else f"unknown{index}@example.com"
        begin = time.perf_counter()
        status, headers, _ = browser.send("POST", "/forgot-password", {**hidden, "address": address})
        times[kind].append((time.perf_counter() - begin) * 1000)
        assert status == 303 and headers["Location"] == "/forgot-password/mail"
    known, unknown = statistics.median(times["known"]), statistics.median(times["unknown"])
    print(f"forgot password, {count} requests each: known {known:.2f} ms, unknown {unknown:.2f} ms (medians)")
    assert abs(known - unknown) < 5, "the time tells whether an address has an account"
