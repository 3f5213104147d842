#!/usr/bin/env python3
# The contract with applications, tried with one SQLite in the settings that applications have.
# Never opens the file with outboxd's own SQLite: outboxctl only creates it.
"""Usage: contract.py DATABASE, where `outboxctl migrate` made DATABASE.

Takes apsw where it is on the path, else pysqlite3, else Python's own sqlite3. Prints a line for each group of cases, and
exits with 1 where one failed.
"""

import itertools
import json
import os
import shutil
import sys
import tempfile
import time
import traceback

try:
    import apsw

    DRIVER = "apsw"
    VERSION = apsw.sqlite_lib_version() if hasattr(apsw, "sqlite_lib_version") else apsw.sqlitelibversion()
except ImportError:
    try:
        from pysqlite3 import dbapi2 as sqlite3

        DRIVER = "pysqlite3"
    except ImportError:
        import sqlite3

        DRIVER = "sqlite3"
    VERSION = sqlite3.sqlite_version

KEY = "idempotency_key_was_used_before"
BIG = 4611686018427387904


class Refused(Exception):
    """What the database says when it refuses a statement."""


class Application:
    """A connection as an application has it: no secure_delete, and what its settings say."""

    def __init__(self, path, settings):
        if DRIVER == "apsw":
            self.db = apsw.Connection(path)
            self.db.setbusytimeout(5000)
            if settings["defensive"]:
                self.db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        else:
            self.db = sqlite3.connect(path, timeout=5, isolation_level=None)
        self.run("PRAGMA secure_delete = OFF")
        self.run("PRAGMA trusted_schema = OFF")
        self.run(f"PRAGMA foreign_keys = {settings['foreign_keys']}")
        self.run(f"PRAGMA recursive_triggers = {settings['recursive_triggers']}")
        equal(self.value("PRAGMA secure_delete"), 0)
        equal(self.value("PRAGMA trusted_schema"), 0)

    def run(self, statement, *values):
        try:
            return [tuple(row) for row in self.db.cursor().execute(statement, values).fetchall()]
        except apsw.Error if DRIVER == "apsw" else sqlite3.Error as error:
            raise Refused(str(error)) from None

    def value(self, statement, *values):
        rows = self.run(statement, *values)
        return rows[0][0] if rows else None

    def insert(self, verb="INSERT", suffix="", **columns):
        """Inserts a row and returns its id, as the driver tells it."""
        columns = {"kind": "verify-email", "recipient": "ann@example.com", "token": "canary-1"} | columns
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self.run(f"{verb} INTO outbox ({names}) VALUES ({marks}) {suffix}", *columns.values())
        return self.value("SELECT last_insert_rowid()")

    def refuses(self, words, statement, *values):
        """The statement fails with exactly these words, which follow the kind of the constraint where there is one."""
        try:
            self.run(statement, *values)
        except Refused as error:
            said = str(error).split("failed: ", 1)[-1].removeprefix("ConstraintError: ").removeprefix("SQLError: ")
            if said != words:
                raise AssertionError(f"{statement[:60]} {values!r:.80}: refused with {said!r}, not {words!r}") from None
            return
        raise AssertionError(f"{statement[:60]} {values!r:.80}: taken, but {words!r} must refuse it")

    def refuses_row(self, words, verb="INSERT", **columns):
        columns = {"kind": "verify-email", "recipient": "ann@example.com", "token": "canary-1"} | columns
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        self.refuses(words, f"{verb} INTO outbox ({names}) VALUES ({marks})", *columns.values())

    def state(self, message):
        return self.value("SELECT state FROM outbox_status WHERE id = ?", message)

    def claim(self, message):
        """What outboxd does when it begins an attempt."""
        self.run(
            "UPDATE outbox_state SET state = 'sending', due_at = NULL, claimed_by = 'd', lease_expires_at = ?, "
            "last_attempt = 1, attempts = 1 WHERE message_id = ?",
            now() + 60_000,
            message,
        )
        self.run("INSERT INTO outbox_attempt (message_id, attempt, started_at) VALUES (?, 1, ?)", message, now())

    def accept(self, message):
        """What outboxd does when a relay has accepted the mail."""
        self.run(
            "UPDATE outbox_state SET state = 'accepted', claimed_by = NULL, lease_expires_at = NULL, accepted_at = ?1, "
            "finished_at = ?1, secret = NULL WHERE message_id = ?2",
            now(),
            message,
        )

    def secrets(self):
        return [text.rstrip("\n") for (text,) in self.run("SELECT token FROM outbox_secret WHERE slot > 0")]


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"found {found!r}, not {wanted!r}")


def now():
    return int(time.time() * 1000)


def the_settings_are_on(a, path, settings):
    if settings["defensive"]:
        a.refuses("table sqlite_master may not be modified", "UPDATE sqlite_schema SET sql = sql")
    a.run("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
    a.run("INSERT INTO users (name) VALUES ('Ann')")
    equal(a.run("SELECT name FROM users"), [("Ann",)])
    equal(a.value("PRAGMA integrity_check"), "ok")


def inserts_and_defaults(a, path, settings):
    equal(a.insert(), 1)
    equal(a.insert(variables=None, priority=None, cancelled=None, id=None), 2)
    equal(a.run("SELECT token, variables, priority, cancelled FROM outbox"), [(None, "{}", 0, 0)] * 2)
    equal(a.insert(variables=""), 3)
    equal(a.value("SELECT variables FROM outbox WHERE id = 3"), "{}")
    equal(a.run(
        "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 'canary-9') "
        "RETURNING id, kind, token"), [(4, "verify-email", "canary-9")])
    equal(a.value("SELECT last_insert_rowid()"), 4)
    equal(a.value("SELECT changes()"), 1)
    equal(sorted(a.secrets()), ["canary-1"] * 3 + ["canary-9"])
    # A row without a token gets one when it is sent.
    a.run("INSERT INTO outbox (kind, recipient) VALUES ('verify-email', 'ann@example.com')")
    equal(a.value("SELECT has_given_token OR secret IS NOT NULL FROM outbox_state WHERE message_id = 5"), 0)


def own_ids(a, path, settings):
    for message in (2_000_000_000_000_000_000, 17, BIG):
        equal(a.insert(id=message, recipient=f"p{message}@example.com"), message)
    equal(a.insert(recipient="next@example.com"), BIG + 1)
    a.refuses_row("id_is_at_most_2_to_the_62", id=BIG + 1000)
    a.refuses_row("id_is_at_most_2_to_the_62", id=9223372036854775807)
    for message in (0, -5):
        a.refuses_row("id_is_positive", id=message)
    a.refuses_row("id_was_used_before", id=17)
    for verb in ("INSERT OR REPLACE", "INSERT OR IGNORE"):
        a.refuses_row("id_was_used_before", verb=verb, id=17)
    a.refuses("id_was_used_before", "INSERT INTO outbox (id, kind, recipient, token) VALUES (17, 'a', 'b@c.d', 't') "
                                    "ON CONFLICT (id) DO UPDATE SET locale = 'en'")
    # The later insert is the newer one, whatever the ids say.
    a.insert(id=5_000_000_000, account="seven")
    a.insert(id=77, account="seven")
    equal(a.run("SELECT message_id FROM outbox_state WHERE person = 'account:seven' ORDER BY sequence DESC"),
          [(77,), (5_000_000_000,)])
    # An id that retention removed lately: an ORM that saves an old object inserts it.
    a.run("INSERT INTO outbox_retired_id VALUES (4711, ?)", now())
    a.refuses_row("id_was_used_before", id=4711)


def own_journal_size_limit(a, path, settings):
    a.run("PRAGMA journal_size_limit = 1000")
    a.insert()
    equal(a.value("PRAGMA journal_mode"), "wal")
    equal(a.value("SELECT count(*) FROM outbox_status"), 1)


def through_a_symbolic_link(a, path, settings):
    link = os.path.join(os.path.dirname(path), "link.db")
    os.symlink(path, link)
    other = Application(link, settings)
    message = other.insert()
    equal(a.state(message), "queued")


def a_late_save(a, path, settings):
    message = a.insert(locale="en", account="seven")
    columns = "kind = ?, recipient = ?, token = ?, locale = ?, account = ?, variables = ?, priority = ?, cancelled = ?"
    row = ["verify-email", "ann@example.com", "canary-1", "ja", "seven", '{"a":1}', None, 0, message]
    a.run(f"UPDATE outbox SET {columns} WHERE id = ?", *row)
    equal(a.run("SELECT token, locale, variables FROM outbox"), [(None, "ja", '{"a":1}')])
    a.run("UPDATE outbox SET token = 'canary-other' WHERE id = ?", message)
    equal(a.value("SELECT token FROM outbox"), None)
    equal(a.secrets(), ["canary-1"])
    a.claim(message)
    a.accept(message)
    a.run(f"UPDATE outbox SET {columns} WHERE id = ?", *row)
    equal(a.value("SELECT token FROM outbox"), None)
    equal(a.secrets(), [""])
    a.refuses("only_variables_locale_time_zone_and_cancelled_can_be_changed; insert a new row instead",
              "UPDATE outbox SET recipient = 'eve@example.com' WHERE id = ?", message)


def idempotency_keys(a, path, settings):
    message = a.insert(idempotency_key="k")
    count = "SELECT count(*) FROM outbox"
    a.refuses_row("outbox.idempotency_key", idempotency_key="k")
    a.insert("INSERT OR IGNORE", idempotency_key="k")
    a.insert(suffix="ON CONFLICT DO NOTHING", idempotency_key="k")
    a.insert(suffix="ON CONFLICT (idempotency_key) DO NOTHING", idempotency_key="k")
    a.refuses_row(KEY, verb="INSERT OR REPLACE", idempotency_key="k")
    equal(a.run("SELECT id FROM outbox"), [(message,)])
    equal(a.state(message), "queued")
    # The key stays when its row is deleted.
    a.run("DELETE FROM outbox WHERE id = ?", message)
    a.refuses_row(KEY, idempotency_key="k")
    for verb, suffix in (("INSERT OR IGNORE", ""), ("INSERT", "ON CONFLICT DO NOTHING")):
        a.refuses(KEY, f"{verb} INTO outbox (kind, recipient, token, idempotency_key) "
                       f"VALUES ('verify-email', 'ann@example.com', 't', 'k') {suffix}")
    equal(a.value(count), 0)
    # OR IGNORE with NULL for what has a default does not drop the row.
    a.insert("INSERT OR IGNORE", idempotency_key="other", variables=None, priority=None)
    equal(a.value(count), 1)


def deleting(a, path, settings):
    gone, kept = a.insert(), a.insert(recipient="eve@example.com", token="canary-2")
    a.claim(gone)
    a.run("INSERT INTO outbox_report (message_id, action, received_at) VALUES (?, 'delayed', ?)", gone, now())
    a.run("DELETE FROM outbox WHERE id = ?", gone)
    equal(a.value("SELECT changes()"), 1)
    for table in ("outbox_state", "outbox_attempt", "outbox_report"):
        equal(a.value(f"SELECT count(*) FROM {table} WHERE message_id = ?", gone), 0)
    equal(sorted(a.secrets()), ["", "canary-2"])
    equal(a.state(kept), "queued")
    equal(a.value("SELECT count(*) FROM outbox_status"), 1)


def cancelling(a, path, settings):
    waiting, sending = a.insert(token="canary-wait-" + "z" * 400), a.insert(recipient="eve@example.com")
    a.claim(sending)
    a.run("UPDATE outbox SET cancelled = 1")
    equal(a.state(waiting), "cancelled")
    equal(a.state(sending), "sending")
    equal(a.value("SELECT is_cancelled FROM outbox_state WHERE message_id = ?", sending), 1)
    equal(sorted(a.secrets()), ["", "canary-1"])
    a.run("UPDATE outbox SET cancelled = 0")
    equal(a.state(waiting), "cancelled")
    born = a.insert(recipient="born@example.com", cancelled=1)
    equal(a.state(born), "cancelled")
    equal(sorted(a.secrets()), ["", "canary-1"])
    a.run("PRAGMA wal_checkpoint(TRUNCATE)")
    if b"canary-wait-" in open(path, "rb").read():
        raise AssertionError("the token of a cancelled message stands in the file")


def variables(a, path, settings):
    for text in ('{"a":1}', ' {"a" : [1, -2.5e+3, true, false, null, {}]}\n', '{"a":"\\"}{,\\\\"}', '{"a":"{b:1}"}',
                 '{"e":1}', '{"a":"it\'s // fine"}', "{}", " {} ", '{"a":[]}', '{"ü":"ü","a":"\\ud83d"}', '{"":0.0}',
                 json.dumps({"a": {"b": ["x", {"c": "d, e: f"}]}}, indent=2), '{"a":[1,2],"b":[{"c":1},{"c":2}]}',
                 '{"a":"\\\\","b":"\\\\\\""}'):
        a.insert(variables=text)
    for text in ("[]", "1", '"a"', "null"):
        a.refuses_row("variables_is_a_json_object", variables=text)
    message = a.insert()
    for text in ("{a:1}", "{'a':1}", '{"a":1,}', '{"a":[1,]}', '{"a":+1}', '{"a":.5}', '{"a":5.}', '{"a":0x1F}',
                 '{"a":Infinity}', '{"a":NaN}', '{/* c */"a":1}', '{"a":1}//c', "{e1:1}", "{null:1}", "{'a\"b\"':1}",
                 '{"a":"b\\\nc"}', '{"a":-.5}', '{"a":-Infinity}', '{"a":"\\x41"}', "{\u00a0}", "{$:1}", "{_:[\"a\"]}",
                 '{"a":1.e3}', '{"a":"b\tc"}', '{"a":"b\x01c"}', '{"a":1}\x0b'):
        for statement, values in (
            ("INSERT INTO outbox (kind, recipient, token, variables) VALUES ('a', 'b@c.d', 't', ?)", (text,)),
            ("UPDATE outbox SET variables = ? WHERE id = ?", (text, message)),
        ):
            a.refuses("variables_is_strict_json" if reads_as_json(text) else "malformed JSON", statement, *values)
    for text in ("{", "nonsense", '{"a"}', '{"a":1}}'):
        a.refuses_row("malformed JSON", variables=text)
    a.insert(variables='{"a":' * 31 + "{}" + "}" * 31)
    a.refuses_row("variables_is_at_most_32_levels_deep", variables='{"a":' * 32 + "{}" + "}" * 32)
    a.refuses_row("variables_is_at_most_65536_octets", variables='{"a":"' + "x" * 65536 + '"}')
    a.run("UPDATE outbox SET variables = ? WHERE id = ?", '{"b":2}', message)


def texts_are_utf8(a, path, settings):
    words = "recipient_account_idempotency_key_and_token_are_utf8"
    for column in ("recipient", "account", "idempotency_key", "token"):
        row = {"recipient": "ann@example.com", "account": "a", "idempotency_key": None, "token": "t"}
        names = ", ".join(row)
        marks = ", ".join("CAST(? AS TEXT)" if name == column else "?" for name in row)
        row[column] = b"j\xf6rg@example.com"
        a.refuses(words, f"INSERT INTO outbox (kind, {names}) VALUES ('verify-email', {marks})", *row.values())
    a.insert(recipient="jörg@bücher.example", account="jörg", idempotency_key="schlüssel", token="öffnen")
    equal(a.value("SELECT recipient FROM outbox_status WHERE account = 'jörg'"), "jörg@bücher.example")


def variables_in_any_octets(a, path, settings):
    # Not UTF-8: outboxd reads U+FFFD there.
    a.run("INSERT INTO outbox (kind, recipient, token, variables) VALUES ('a', 'b@c.d', 't', CAST(? AS TEXT))",
          b'{"name":"J\xf6rg \xff\xed\xa0\xbd"}')
    for text in ('{"a":1e400,"b":-1e-400}', '{"a":"\\ud83d","b":"\\ude00\\ud83d"}', '{"a":' + "9" * 500 + "}", '{"a":1,"a":2}',
                 '{"a":"\\u0000"}', '{"a":-0}', '{"a":0.10}'):
        a.insert(variables=text)


def addresses(a, path, settings):
    for text in ("ann+tag@example.com", "o'hara@example.com", "50%off&more@example.com", "{a}|~`^!#$*/=?_-@example.com",
                 "用户@例え.jp", "ann@bücher.example", "ann@i\u2764\ufe0f.example", "ann@xn--bcher-kva.example", "ann@localhost",
                 "ann@0dc1\u0dc1\u0dca\u200d\u0dbb\u0dd3.example", "ann@163.com", "jane..doe.@carrier.example",
                 "ann@" + "x" * 63 + ".example"):
        a.insert(recipient=text)
    host = "recipient_domain_is_a_host_name"
    for domain in ("-x.example", "x-.example", "x.-example", ".example", "example.", "x..example", "exa_mple.com", "127.0.0.1", "123",
                   "example.123", "x" * 64 + ".example", "mail." + "x" * 64, "exa%6dple.com", "exa/mple.com"):
        a.refuses_row(host, recipient="ann@" + domain)
    invisible = "recipient_has_no_invisible_characters"
    for hidden in "\u00a0\u00ad\u034f\u061c\u1160\u180e\u2003\u200b\u200c\u200d\u200e\u202e\u2060\u2066\u2800\u3000\u3164\ue000" \
                  "\ufe0f\ufeff\uffa0\ufffc\ufffd\U000e0041\U000e0101\U0001d173\U0010ffff":
        for text in (f"an{hidden}n@example.com", f"{hidden}ann@example.com", f"ann{hidden}@example.com", f"山{hidden}田@example.com"):
            a.refuses_row(invisible, recipient=text)
        if hidden != "\ufe0f":
            a.refuses_row(invisible, recipient=f"ann@exam{hidden}ple.com")
            a.refuses_row(invisible, recipient=f"ann@example.com{hidden}")
    # In either case of letters one person, whoever looks.
    one, other = a.insert(recipient="Eve@example.com"), a.insert(recipient="eve@EXAMPLE.com")
    equal(a.value("SELECT count(DISTINCT person) FROM outbox_state WHERE message_id IN (?, ?)", one, other), 1)
    equal(a.value("SELECT count(*) FROM outbox_status WHERE recipient = 'eve@example.com'"), 2)


def names_of_refusals(a, path, settings):
    for column, value, words in (
        ("kind", "Verify", "kind_is_lower_case_letters_digits_and_hyphens"),
        ("recipient", "", "recipient_is_not_empty"),
        ("recipient", "a b@c.d", "recipient_is_one_bare_address_with_one_at_sign"),
        ("recipient", "a\r\n@c.d", "recipient_has_no_control_characters"),
        ("recipient", "a\u202e@c.d", "recipient_has_no_invisible_characters"),
        ("recipient", "a@c..d", "recipient_domain_is_a_host_name"),
        ("recipient", "a" * 65 + "@c.d", "recipient_local_part_is_1_to_64_octets"),
        ("recipient", "a@" + "c" * 260, "recipient_is_at_most_254_octets"),
        ("token", "", "token_is_not_empty"),
        ("token", "a\nb", "token_has_no_control_characters"),
        ("token", "a" * 4097, "token_is_at_most_4096_octets"),
        ("locale", "", "locale_is_a_language_tag"),
        ("time_zone", "+09:00", "time_zone_is_a_name_such_as_europe_berlin"),
        ("account", "", "account_is_1_to_255_octets"),
        ("account", "17.0", "account_is_not_a_number_with_point_zero"),
        ("idempotency_key", "", "idempotency_key_is_1_to_255_octets"),
        ("not_before", 1_700_000_000, "not_before_is_in_milliseconds_since_1970"),
        ("expires_at", 1_700_000_000, "expires_at_is_in_milliseconds_since_1970"),
        ("priority", 10, "priority_is_from_minus_9_to_9"),
        ("cancelled", 2, "cancelled_is_0_or_1"),
    ):
        a.refuses_row(words, **{column: value})
    a.refuses_row("cannot store TEXT value in INTEGER column outbox.priority", priority="high")


def views_answer(a, path, settings):
    message = a.insert(account="seven")
    equal(a.run("SELECT id, state, waiting_for, advice FROM outbox_status WHERE account = 'seven'"),
          [(message, "queued", "turn", "wait")])
    equal(a.value("SELECT count(*) FROM outbox_status WHERE recipient = 'ANN@example.com'"), 1)
    for column in ("advice_at", "may_arrive_twice"):
        equal(a.value(f"SELECT count(*) FROM outbox_status WHERE {column} >= ?", "0"), 1)
    equal(a.value("SELECT count(*) FROM outbox_status WHERE advice_at > ?", str(now())), 1)
    equal(a.value("SELECT count(*) FROM outbox_status WHERE advice_at > ?", str(now() + 600_000)), 0)
    for table in ("outbox", "outbox_status"):
        if any("canary" in str(value) for row in a.run(f"SELECT * FROM {table}") for value in row):
            raise AssertionError(f"{table} shows a token")


def redeeming(a, path, settings):
    """As docs/tokens.md says, in each SQLite: RETURNING must show a result before the trigger books it."""

    def mail(number, digest, proof=None, expires_at=None, keeps=False):
        a.insert(token=None, account="ann" if number < 4 else f"other-{number}", valid_for=60_000)
        a.claim(number)
        a.accept(number)
        a.run(
            "INSERT INTO outbox_token (message_id, sequence, kind, person, digest, code_mac, expires_at, is_replaceable) "
            "SELECT message_id, sequence, kind, person, ?, ?, ?, ? FROM outbox_state WHERE message_id = ?",
            digest * 32, proof and proof * 32, expires_at, not keeps, number)

    def link(digest, at=None):
        return a.run("UPDATE outbox_token SET presented_at = ?, presented = ? WHERE digest = ? AND "
                     "kind = 'verify-email' RETURNING result, message_id", at or now(), digest * 32, digest * 32)

    def code(number, proof):
        return a.run("UPDATE outbox_token SET presented_at = ?, presented = ? WHERE message_id = ? "
                     "RETURNING result", now(), proof * 32, number)

    mail(1, b"1")
    mail(2, b"2")
    mail(3, b"3", keeps=True)
    mail(4, b"4", proof=b"p", expires_at=now() + 60_000)
    mail(5, b"5", proof=b"q", expires_at=1_800_000_000_000)
    equal(a.run("SELECT message_id, result FROM outbox_token_status ORDER BY sequence"), [(n, "ok") for n in range(1, 6)])
    equal(link(b"9"), [])
    equal(link(b"1"), [("ok", 1)])
    equal(link(b"1"), [("used", 1)])
    equal(link(b"2"), [("replaced", 2)])
    equal(link(b"3"), [("ok", 3)])
    equal(link(b"5", at=1_800_000_000_000), [("expired", 5)])
    equal(link(b"5", at=1_799_999_999_999), [("ok", 5)])
    for _ in range(5):
        equal(code(4, b"x"), [("wrong-code",)])
    equal(code(4, b"p"), [("too-many-tries",)])
    equal(a.run("SELECT tries, presented, redeemed_at FROM outbox_token WHERE message_id = 4"), [(5, None, None)])
    equal(link(b"4"), [("ok", 4)])
    equal(a.value("SELECT advice FROM outbox_status WHERE id = 4"), "done")
    a.refuses("presented_at_is_in_milliseconds_since_1970",
              "UPDATE outbox_token SET presented_at = 1800000000, presented = digest WHERE message_id = 1")
    a.refuses("presented_at_and_presented_are_both_required",
              "UPDATE outbox_token SET presented_at = 1800000000000, presented = NULL WHERE message_id = 1")
    a.run("DELETE FROM outbox")
    equal(a.value("SELECT count(*) FROM outbox_token"), 0)
    a.refuses_row("expires_at_and_valid_for_are_not_both_given", expires_at=now(), valid_for=60_000)
    a.refuses_row("valid_for_is_1_minute_to_366_days_in_milliseconds", valid_for=1800)
    equal(a.value("PRAGMA integrity_check"), "ok")


def own_tables(a, path, settings):
    a.run("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, mail INTEGER REFERENCES outbox (id) ON DELETE SET NULL)")
    a.run("BEGIN IMMEDIATE")
    message = a.insert()
    a.run("INSERT INTO users (name, mail) VALUES ('Ann', ?)", message)
    a.run("COMMIT")
    a.run("DELETE FROM outbox WHERE id = ?", message)
    equal(a.run("SELECT name, mail FROM users"), [("Ann", None if settings["foreign_keys"] else message)])
    a.run("BEGIN")
    a.insert()
    a.run("ROLLBACK")
    equal(a.value("SELECT count(*) FROM outbox_state"), 0)
    equal(a.secrets(), [""])
    a.run("ALTER TABLE users ADD COLUMN age INTEGER")
    a.run("CREATE INDEX users_name ON users (name)")
    a.run("VACUUM")
    a.insert()
    equal(a.value("SELECT count(*) FROM outbox_status"), 1)
    equal(a.value("PRAGMA integrity_check"), "ok")


GROUPS = [
    the_settings_are_on, inserts_and_defaults, own_ids, own_journal_size_limit, through_a_symbolic_link, a_late_save,
    idempotency_keys, deleting, cancelling, variables, variables_in_any_octets, addresses,
    texts_are_utf8, names_of_refusals, views_answer, redeeming, own_tables,
]


def reads_as_json(text):
    """Whether this SQLite takes it: JSON5 does not exist for those before 3.42."""
    memory = Application(":memory:", {"defensive": False, "foreign_keys": 0, "recursive_triggers": 0})
    try:
        return memory.run("SELECT 1 FROM json_tree(?)", text) != []
    except Refused:
        return False


def main():
    defensive = (False, True) if DRIVER == "apsw" else (False,)
    failed = 0
    for group in GROUPS:
        problem, runs = None, 0
        for values in itertools.product(defensive, (0, 1), (0, 1)):
            settings = dict(zip(("defensive", "foreign_keys", "recursive_triggers"), values))
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "app.db")
                shutil.copy(sys.argv[1], path)
                try:
                    group(Application(path, settings), path, settings)
                    runs += 1
                except (AssertionError, Refused) as error:
                    line = traceback.extract_tb(error.__traceback__)[1].lineno
                    problem = f"{settings} line {line}: {error}"
                    break
        name = group.__name__.replace("_", " ")
        print(f"{VERSION:8} {DRIVER:9} {name:28} {'FAILED ' + problem if problem else f'ok ({runs} settings)'}", flush=True)
        failed += problem is not None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
