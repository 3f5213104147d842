"""The outbox for applications with SQLAlchemy and Alembic.

The functions are those of ``outbox_client``. They take a ``Session`` or a ``Connection``, belong to its transaction,
and raise ``sqlalchemy.exc.IntegrityError`` with the name of the rule that refuses a value. Neither the error nor
``echo`` shows a token, because the statements don't pass through the engine. With asyncio, call them by ``run_sync``;
``redeem_code`` in a function of your own that is handed to ``run_sync``, with its whole ``with`` block.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterable, Iterator, Optional, Sequence, Union, cast

from sqlalchemy import BigInteger, Engine, Integer, Text, column, event, exc, table
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

import outbox_client
from outbox_client import Advice, CheckKey, Redemption, Result, Status, schema
from outbox_client.values import Conditions, Values, with_text

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "Advice",
    "CheckKey",
    "Redemption",
    "Result",
    "Status",
    "begin_immediate",
    "create_outbox",
    "enqueue",
    "include_name",
    "look",
    "outbox",
    "outbox_status",
    "redeem",
    "redeem_code",
    "remove_unused_outbox",
    "status",
]

Bind = Union[Session, Connection]


def _columns(names: str, type_: Any) -> list[Any]:
    return [column(name, type_) for name in names.split()]


#: What the application inserted. Both belong to no ``MetaData``, so that ``create_all()``, ``drop_all()`` and Alembic
#: don't take them for tables of the application. There is no column ``token``: the table never shows one.
outbox = table(
    "outbox",
    column("id", Integer),
    *_columns("kind recipient account locale time_zone variables idempotency_key", Text),
    *_columns("not_before expires_at valid_for priority cancelled", BigInteger),
)

#: What became of each message, and what its person should do (docs/sql-contract.md).
outbox_status = table(
    "outbox_status",
    column("id", Integer),
    *_columns("kind recipient account state advice detail waiting_for", Text),
    *_columns(
        "requested_at accepted_at delivered_at delayed_at finished_at expires_at redeemed_at attempts next_attempt_at "
        "may_arrive_twice advice_at",
        BigInteger,
    ),
)


def begin_immediate(engine: Engine) -> Engine:
    """Lets every transaction of the engine take the write lock when it begins, and returns the engine.

    Else a transaction that reads before it writes fails with "database is locked" if outboxd commits in between. For
    transactions that only read: ``engine.execution_options(sqlite_begin="DEFERRED")``. With asyncio, give it
    ``engine.sync_engine``. Call it before the first connection.
    """

    @event.listens_for(engine, "connect")
    def connect(dbapi_connection: Any, _: Any) -> None:
        # Python's sqlite3 would begin by itself, and later than the first SELECT.
        dbapi_connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(f"BEGIN {options.get('sqlite_begin', 'IMMEDIATE')}")

    return engine


def include_name(name: Optional[str], type_: str, parent_names: Any) -> bool:
    """For ``context.configure()`` in Alembic's env.py: leaves the outbox's tables out of ``--autogenerate``.

    Without it, the generated migration would drop them, with all mails. All their names begin with ``outbox``.
    """
    return not (type_ == "table" and name is not None and (name == "outbox" or name.startswith("outbox_")))


def create_outbox(bind: Bind) -> bool:
    """Creates the outbox, unless it is there: for a test database, or in a migration with ``op.get_bind()``."""
    return schema.create(_Connection(bind).cursor())


def remove_unused_outbox(bind: Bind) -> bool:
    """Drops an outbox that was never used, for ``downgrade()``. Any other one stays, with its mails."""
    return schema.remove_unused(_Connection(bind).cursor())


def enqueue(bind: Bind, kind: str, recipient: str, **values: Unpack[Values]) -> int:
    """Inserts one message and returns its id. The values are those of ``outbox_client.enqueue``.

    The id of a new object for ``account`` is known after ``session.flush()``.
    """
    with _errors("INSERT INTO outbox"):
        return outbox_client.enqueue(_driver(bind), kind, recipient, **with_text(values))


def status(bind: Bind, **conditions: Unpack[Conditions]) -> Sequence[Status]:
    """The messages of an ``id``, an ``account`` or a ``recipient``, newest first; ``kind`` narrows them down."""
    with _errors("SELECT FROM outbox_status"):
        return outbox_client.status(_driver(bind), **with_text(conditions))


def look(bind: Bind, kind: str, token: str) -> Redemption:
    """What redeeming the token would say, for a page that only shows a form. Changes nothing."""
    with _errors("SELECT FROM outbox_token_status"):
        return outbox_client.look(_driver(bind), kind, token)


def redeem(bind: Bind, kind: str, token: str) -> Redemption:
    """Redeems the token of a link. Do it where the form is sent, and commit in any case."""
    with _errors("UPDATE outbox_token"):
        return outbox_client.redeem(_driver(bind), kind, token)


@contextmanager
def redeem_code(
    bind: Bind,
    kind: str,
    code: str,
    keys: Union[CheckKey, Iterable[CheckKey]],
    *,
    account: Optional[object] = None,
    recipient: Optional[str] = None,
) -> Iterator[Redemption]:
    """Redeems the code that a person typed. What follows from it belongs into the ``with`` block, in one transaction.

    A wrong try is committed before the block runs, so that it counts even if the block fails. So the session or the
    connection must not have begun a transaction. With asyncio, hand a function that has the whole block to ``run_sync``.
    """
    if (account is None) == (recipient is None):
        raise TypeError("give either an account or a recipient")
    if bind.in_transaction():
        raise exc.InvalidRequestError("redeem_code begins its own transaction: a wrong try must be committed at once")
    digits = outbox_client._digits(code)
    if digits is None:
        yield Redemption(Result.WRONG_CODE)
        return
    known = {key.id: key for key in ([keys] if isinstance(keys, CheckKey) else keys)}
    with bind.begin():
        with _errors("UPDATE outbox_token"):
            db = _driver(bind)
            # A write first: in a deferred transaction another program's commit would make a later one fail.
            db.cursor().execute("UPDATE outbox SET cancelled = cancelled WHERE 0")
            person = None if account is None else str(account)
            redemption = outbox_client._redeem_code(
                db, kind, digits, known, person, recipient, outbox_client._now(None)
            )
        if redemption:
            yield redemption
            return
    yield redemption


def _driver(bind: Bind) -> sqlite3.Connection:
    return cast(sqlite3.Connection, _Connection(bind))


class _Connection:
    """The driver's connection, for ``outbox_client``, which asks for no more than cursors.

    A driver for asyncio gives cursors with fewer attributes than ``sqlite3``.
    """

    def __init__(self, bind: Bind) -> None:
        connection = bind.connection() if isinstance(bind, Session) else bind
        if connection.dialect.name != "sqlite":
            raise TypeError(f"the outbox is a table in SQLite, and this is {connection.dialect.name}")
        # The driver's connection by itself begins no transaction of SQLAlchemy.
        if not connection.in_transaction():
            connection.begin()
        self._driver = connection.connection

    def cursor(self) -> "_Cursor":
        return _Cursor(self._driver.cursor())


class _Cursor:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.row_factory: Any = None
        if isinstance(cursor, sqlite3.Cursor):
            cursor.row_factory = None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> "_Cursor":
        self._cursor.execute(statement, parameters)
        return self

    def fetchall(self) -> Any:
        return self._cursor.fetchall()

    def fetchone(self) -> Any:
        return self._cursor.fetchone()


@contextmanager
def _errors(statement: str) -> Iterator[None]:
    """SQLAlchemy's error for the driver's, without the values: one of them may be a token."""
    try:
        yield
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(statement, None, error, sqlite3.Error, hide_parameters=True) from error
