"""The outbox in a Django project: put ``outbox_client.django`` into ``INSTALLED_APPS``, and run ``migrate``.

The functions are those of ``outbox_client``, on the connection that the project's routers choose for the outbox, or on
that of ``using``. They take part in ``transaction.atomic()``, and raise ``django.db.IntegrityError`` with the name of
the rule that refuses a value. Neither ``connection.queries`` nor a log sees a token, because the statements don't pass
through Django's cursor. Nor does a report of an error: Django hides the variables of all frames below a function that
``sensitive_variables`` decorates, also those of ``outbox_client``.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, ContextManager, Iterable, Iterator, Optional, Union

from django.db import connections, router, transaction
from django.views.decorators.debug import sensitive_variables

import outbox_client
from outbox_client import Advice, CheckKey, Redemption, Result, Status
from outbox_client.values import Conditions, Values, with_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Advice", "CheckKey", "Redemption", "Result", "Status", "enqueue", "look", "redeem", "redeem_code", "status"]


@sensitive_variables()
def enqueue(kind: str, recipient: str, *, using: Optional[str] = None, **values: Unpack[Values]) -> int:
    """Inserts one message and returns its id. The values are those of ``outbox_client.enqueue``.

    In ``transaction.atomic()`` the mail leaves if the transaction commits, so ``on_commit()`` isn't needed.
    """
    with _connection(using, for_write=True) as db:
        return outbox_client.enqueue(db, kind, recipient, **with_text(values))


def status(*, using: Optional[str] = None, **conditions: Unpack[Conditions]) -> list[Status]:
    """The messages of an ``id``, an ``account`` or a ``recipient``, newest first; ``kind`` narrows them down."""
    with _connection(using) as db:
        return outbox_client.status(db, **with_text(conditions))


@sensitive_variables()
def look(kind: str, token: str, *, using: Optional[str] = None) -> Redemption:
    """What redeeming the token would say, for a view that only shows a form. Changes nothing."""
    with _connection(using) as db:
        return outbox_client.look(db, kind, token)


@sensitive_variables()
def redeem(kind: str, token: str, *, using: Optional[str] = None) -> Redemption:
    """Redeems the token of a link. Do it in the POST, in one transaction with what follows from it."""
    with _connection(using, for_write=True) as db:
        return outbox_client.redeem(db, kind, token)


@sensitive_variables()
def redeem_code(
    kind: str,
    code: str,
    keys: Union[CheckKey, Iterable[CheckKey]],
    *,
    account: Optional[object] = None,
    recipient: Optional[str] = None,
    using: Optional[str] = None,
) -> ContextManager[Redemption]:
    """Redeems the code that a person typed. What follows from it belongs into the ``with`` block, in one transaction.

    A wrong try is committed before the block runs, so that it counts even if the block fails. So this can't stand in
    ``atomic()``, nor in a view with ``ATOMIC_REQUESTS``: use ``transaction.non_atomic_requests`` there.
    """
    if (account is None) == (recipient is None):
        raise TypeError("give either an account or a recipient")
    digits = outbox_client._digits(code)
    known = {key.id: key for key in ([keys] if isinstance(keys, CheckKey) else keys)}
    person = None if account is None else str(account)

    @sensitive_variables()
    def redemption(db: sqlite3.Connection) -> Redemption:
        assert digits is not None
        return outbox_client._redeem_code(db, kind, digits, known, person, recipient, outbox_client._now(None))

    return _redeeming(None if digits is None else redemption, using or _alias(for_write=True))


@contextmanager
def _redeeming(redeem: Optional[Callable[[sqlite3.Connection], Redemption]], alias: str) -> Iterator[Redemption]:
    """Runs later than its caller, outside the frames that Django hides, so it must not have the code in a variable."""
    if redeem is None:
        yield Redemption(Result.WRONG_CODE)
        return
    with transaction.atomic(using=alias, durable=True):
        with _connection(alias) as db:
            # A write first: in a deferred transaction another program's commit would make a later one fail.
            db.execute("UPDATE outbox SET cancelled = cancelled WHERE 0")
            redemption = redeem(db)
        if redemption:
            yield redemption
            return
    yield redemption


@contextmanager
def _connection(using: Optional[str], for_write: bool = False) -> Iterator[sqlite3.Connection]:
    """SQLite's own connection, in the state of Django's."""
    connection = connections[using or _alias(for_write)]
    if connection.vendor != "sqlite":
        raise TypeError(f"the outbox is a table in SQLite, and the database {connection.alias!r} is not")
    # A cursor opens the connection, checks the thread, and keeps SimpleTestCase's promise to use no database.
    with connection.cursor():
        connection.validate_no_broken_transaction()
        with connection.wrap_database_errors:
            yield connection.connection


def _alias(for_write: bool) -> str:
    from outbox_client.django.models import Message

    return router.db_for_write(Message) if for_write else router.db_for_read(Message)
