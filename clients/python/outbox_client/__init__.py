"""Enqueues mails, reads their status and redeems their tokens, in an application's own SQLite transaction.

This file needs only the standard library, Python 3.9 or later, and SQLite 3.37 or newer. It works alone, as a copy with
the name ``outbox_client.py``. Every function takes the application's connection. Nothing here commits, with one
exception that ``redeem_code`` explains. ``outbox_client.django`` and ``outbox_client.sqlalchemy`` have the same calls
for these frameworks.
"""
from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import hashlib
import hmac
import json
import sqlite3
import time
import unicodedata
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence, Union

#: A moment: milliseconds since the Unix epoch, or a ``datetime`` with a time zone.
Time = Union[int, datetime.datetime]
#: A duration: milliseconds, or a ``timedelta``.
Span = Union[int, datetime.timedelta]

__all__ = ["Advice", "CheckKey", "Redemption", "Result", "Status", "enqueue", "look", "redeem", "redeem_code", "status"]


class Result(str, enum.Enum):
    """What became of a token or a code. A refusal is a value, never an exception."""

    OK = "ok"
    #: It was redeemed before. For a verification, look whether the person is verified, and say "already done".
    USED = "used"
    #: A newer mail of the kind was handed over to the person, or another one was redeemed.
    REPLACED = "replaced"
    EXPIRED = "expired"
    #: No message has it.
    UNKNOWN = "unknown"
    #: Not the code of the person's mail.
    WRONG_CODE = "wrong-code"
    #: Five wrong codes ended the code. The link of the mail still works.
    TOO_MANY_TRIES = "too-many-tries"


class Advice(str, enum.Enum):
    """One thing that a person who waits for a mail should do (docs/advice.md)."""

    DONE = "done"
    WAIT = "wait"
    DELIVERY_DELAYED = "delivery-delayed"
    CHECK_JUNK = "check-junk"
    RESEND = "resend"
    REQUEST_NEW = "request-new"
    FIX_ADDRESS = "fix-address"
    CONTACT_SUPPORT = "contact-support"


@dataclasses.dataclass(frozen=True)
class Redemption:
    """The result, and the message that it is about; ``None`` for an unknown token."""

    result: Result
    message_id: Optional[int] = None
    #: Who was mailed: the values of the message's row.
    account: Optional[str] = None
    recipient: Optional[str] = None

    def __bool__(self) -> bool:
        return self.result is Result.OK


@dataclasses.dataclass(frozen=True)
class Status:
    """One row of the view ``outbox_status``; times in milliseconds since the Unix epoch."""

    id: int
    kind: str
    recipient: str
    account: Optional[str]
    state: str
    requested_at: int
    accepted_at: Optional[int]
    redeemed_at: Optional[int]
    advice: Sequence[Advice]
    advice_at: Optional[int]


class CheckKey:
    """Proves codes that people type. ``outboxctl new-key --check-key FILE`` makes the file."""

    def __init__(self, base64_text: str):
        key = base64.b64decode(base64_text.strip(), validate=True)
        if len(key) != 32:
            raise ValueError("a check key is 32 octets as base64; outboxctl new-key makes one")
        self._key = key
        self.id = hashlib.sha256(key).hexdigest()[:16]

    @classmethod
    def read(cls, path: Union[str, Path]) -> "CheckKey":
        """Reads the file that ``outboxctl new-key`` wrote."""
        return cls(Path(path).read_text(encoding="ascii"))

    def __repr__(self) -> str:
        return f"<check key {self.id}>"

    def proof(self, code: str, envelope_id: str) -> bytes:
        """HMAC-SHA256 of envelope id and code, each behind its length in two octets."""
        parts = (text.encode() for text in (envelope_id, code))
        return hmac.new(self._key, b"".join(len(part).to_bytes(2, "big") + part for part in parts), hashlib.sha256).digest()


def enqueue(
    db: sqlite3.Connection,
    kind: str,
    recipient: str,
    *,
    account: Optional[str] = None,
    token: Optional[str] = None,
    locale: Optional[str] = None,
    time_zone: Optional[str] = None,
    variables: Optional[Mapping[str, Any]] = None,
    idempotency_key: Optional[str] = None,
    not_before: Optional[Time] = None,
    expires_at: Optional[Time] = None,
    valid_for: Optional[Span] = None,
    priority: int = 0,
) -> int:
    """Inserts one message and returns its id. Without ``token`` outboxd mints one when it sends the mail.

    ``valid_for`` counts from the sending on: a ``timedelta``, or milliseconds. ``not_before`` and ``expires_at`` are
    a ``datetime`` with a time zone, or milliseconds since the Unix epoch. ``time_zone`` is the name of the person's
    time zone, such as ``Europe/Berlin``. With a used idempotency key nothing is inserted, and the earlier message's id
    is returned.

    Raises ``sqlite3.IntegrityError`` with the name of the rule that refuses a value, and ``ValueError`` for a
    ``datetime`` without a time zone.
    """
    values = {
        "kind": kind, "recipient": recipient, "account": account, "token": token, "locale": locale,
        "time_zone": time_zone, "variables": "{}" if variables is None else json.dumps(variables),
        "idempotency_key": idempotency_key,
        "not_before": _milliseconds(not_before), "expires_at": _milliseconds(expires_at),
        "valid_for": _milliseconds(valid_for), "priority": priority,
    }
    cursor = _cursor(db)
    try:
        rows = cursor.execute(
            f"INSERT INTO outbox ({', '.join(values)}) VALUES ({', '.join('?' * len(values))}) "
            "ON CONFLICT (idempotency_key) DO NOTHING RETURNING id",
            tuple(values.values()),
        ).fetchall()
    except sqlite3.IntegrityError as error:
        if str(error) != "idempotency_key_was_used_before":
            raise
        rows = []
    if rows:
        return int(rows[0][0])
    earlier = cursor.execute("SELECT id FROM outbox WHERE idempotency_key = ?", (idempotency_key,)).fetchone()
    if earlier is None:
        # The row was deleted; its key is still known.
        earlier = cursor.execute("SELECT message_id FROM outbox_used_key WHERE idempotency_key = ?", (idempotency_key,)).fetchone()
    return int(earlier[0])


def status(
    db: sqlite3.Connection,
    *,
    id: Optional[int] = None,
    account: Optional[str] = None,
    recipient: Optional[str] = None,
    kind: Optional[str] = None,
) -> list[Status]:
    """The messages of an id, an account or an address, newest first."""
    conditions = {name: value for name, value in
                  (("id", id), ("account", account), ("recipient", recipient), ("kind", kind)) if value is not None}
    if not conditions.keys() - {"kind"}:
        raise TypeError("give an id, an account or a recipient")
    rows = _cursor(db).execute(
        "SELECT id, kind, recipient, account, state, requested_at, accepted_at, redeemed_at, advice, advice_at "
        f"FROM outbox_status WHERE {' AND '.join(f'{name} = ?' for name in conditions)} "
        "ORDER BY requested_at DESC, id DESC",
        tuple(conditions.values()),
    ).fetchall()
    return [Status(*row[:8], advice=_advice(row[8]), advice_at=row[9]) for row in rows]


def look(db: sqlite3.Connection, kind: str, token: str) -> Redemption:
    """What redeeming the token would say, for a page that only shows a form. Changes nothing."""
    row = _cursor(db).execute(
        "SELECT result, message_id, account, recipient FROM outbox_token_status WHERE digest = ? AND kind = ? "
        "ORDER BY result = 'ok' DESC, result = 'used' DESC, sequence DESC LIMIT 1",
        (_digest(token), kind),
    ).fetchone()
    return Redemption(Result(row[0]), *row[1:]) if row else Redemption(Result.UNKNOWN)


def redeem(db: sqlite3.Connection, kind: str, token: str, *, now: Optional[int] = None) -> Redemption:
    """Redeems the token of a link. Do it where the form is sent, never where the link is opened.

    Make it the first statement of the transaction, or begin that with ``BEGIN IMMEDIATE``. Commit in any case.
    """
    digest = _digest(token)
    rows = _cursor(db).execute(
        "UPDATE outbox_token SET presented_at = ?, presented = ? WHERE digest = ? AND kind = ? "
        "RETURNING result, message_id, sequence",
        (_now(now), digest, digest, kind),
    ).fetchall()
    return _redemption(db, rows)


def redeem_code(
    db: sqlite3.Connection,
    kind: str,
    code: str,
    keys: Union[CheckKey, Iterable[CheckKey]],
    *,
    account: Optional[str] = None,
    recipient: Optional[str] = None,
    now: Optional[int] = None,
) -> Redemption:
    """Redeems the code that a person typed, from one of the newest mails of the kind to that account or address.

    Begins a transaction. If the code is right, the transaction is open, and the caller commits it together with what
    follows. In any other case it is committed, so that a wrong try counts even if the caller fails. A connection with
    ``autocommit=False`` is always in a transaction, and can't be used.
    """
    if db.in_transaction:
        raise sqlite3.ProgrammingError("redeem_code begins its own transaction: a wrong try must be committed at once")
    if (account is None) == (recipient is None):
        raise TypeError("give either an account or a recipient")
    digits = _digits(code)
    if digits is None:
        return Redemption(Result.WRONG_CODE)
    # The methods commit() and rollback() do nothing where Python's own autocommit is on.
    db.execute("BEGIN IMMEDIATE")
    try:
        redemption = _redeem_code(db, kind, digits, {key.id: key for key in ([keys] if isinstance(keys, CheckKey) else keys)},
                                  account, recipient, _now(now))
    except BaseException:
        db.execute("ROLLBACK")
        raise
    if not redemption:
        db.execute("COMMIT")
    return redemption


def _digits(code: str) -> Optional[str]:
    """People copy full-width digits, spaces and dashes. Only eight digits count as a try."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", code)
                     if not (c.isspace() or unicodedata.category(c) == "Pd" or c == "\u2212"))
    return digits if len(digits) == 8 and digits.isascii() and digits.isdigit() else None


def _redeem_code(db: sqlite3.Connection, kind: str, digits: str, keys: Mapping[str, CheckKey], account: Optional[str],
                 recipient: Optional[str], now: int) -> Redemption:
    """Tries the newest mails: the newest one may not have arrived yet. A wrong code counts for each."""
    cursor = _cursor(db)
    if account is not None:
        person = "account:" + account
    else:
        row = cursor.execute(
            "SELECT state.person FROM outbox AS message JOIN outbox_state AS state ON state.message_id = message.id "
            "WHERE message.recipient = ? COLLATE NOCASE AND message.kind = ? ORDER BY message.id DESC LIMIT 1",
            (recipient, kind),
        ).fetchone()
        if row is None:
            return Redemption(Result.WRONG_CODE)
        person = row[0]
    candidates = cursor.execute(
        "SELECT message_id, envelope_id, key_id FROM outbox_token_status "
        "WHERE person = ? AND kind = ? AND code_mac IS NOT NULL ORDER BY sequence DESC LIMIT 5",
        (person, kind),
    ).fetchall()
    redemption = Redemption(Result.WRONG_CODE)
    if candidates and not any(key_id in keys for _, _, key_id in candidates):
        raise LookupError(f"the check key {candidates[0][2]} is missing; outboxctl new-key wrote it beside the token key")
    for message, envelope_id, key_id in candidates:
        # After a change of keys, an older mail may need one that the application does not keep any more.
        if key_id not in keys:
            continue
        rows = cursor.execute(
            "UPDATE outbox_token SET presented_at = ?, presented = ? WHERE message_id = ? "
            "RETURNING result, message_id, sequence",
            (now, keys[key_id].proof(digits, envelope_id), message),
        ).fetchall()
        found = _redemption(db, rows)
        if found.result not in (Result.WRONG_CODE, Result.TOO_MANY_TRIES):
            return found
        if redemption.message_id is None:
            redemption = found
    return redemption


def _redemption(db: sqlite3.Connection, rows: Sequence[tuple[str, int, int]]) -> Redemption:
    """An application may mail one token twice: one that succeeds or succeeded counts, else the newest."""
    if not rows:
        return Redemption(Result.UNKNOWN)
    result, message, _ = max(rows, key=lambda row: (row[0] == "ok", row[0] == "used", row[2]))
    account, recipient = _cursor(db).execute("SELECT account, recipient FROM outbox WHERE id = ?", (message,)).fetchone()
    return Redemption(Result(result), message, account, recipient)


def _cursor(db: sqlite3.Connection) -> sqlite3.Cursor:
    """Without the application's row factory, which may return anything."""
    cursor = db.cursor()
    cursor.row_factory = None
    return cursor


def _advice(column: str) -> tuple[Advice, ...]:
    """Later versions may add codes; an unknown one counts as ``wait``."""
    known = {advice.value: advice for advice in Advice}
    return tuple(known.get(code, Advice.WAIT) for code in column.split(","))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _milliseconds(value: Union[None, Time, Span]) -> Optional[int]:
    """The integer that the outbox stores."""
    if isinstance(value, datetime.datetime):
        if value.utcoffset() is None:
            raise ValueError("a datetime needs a time zone, else it isn't known which moment it is")
        value = value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return value // datetime.timedelta(milliseconds=1) if isinstance(value, datetime.timedelta) else value


def _now(now: Optional[int]) -> int:
    return time.time_ns() // 1_000_000 if now is None else now
