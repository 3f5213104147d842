"""Creates the outbox in an application's own file, where neither outboxd nor ``outboxctl migrate`` has done it.

``schema.sql`` is what ``outboxctl schema`` prints; a test compares the two. outboxd accepts such a file, and upgrades
it when it starts. Each change is a savepoint: it happens as a whole or not at all, also where no transaction was begun.
Within a transaction of the caller nothing here commits.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

__all__ = ["create", "is_there", "is_unused", "remove_unused", "statements"]


def statements() -> list[str]:
    """The statements of the schema, in their order.

    Splitting at each ``;`` would cut triggers, and ``executescript()`` would commit the caller's transaction.
    """
    found, text = [], ""
    for part in Path(__file__).with_name("schema.sql").read_text(encoding="utf-8").rstrip().split(";")[:-1]:
        text += part + ";"
        if sqlite3.complete_statement(text):
            found.append(text.strip())
            text = ""
    return found


def is_there(cursor: Any) -> bool:
    """Whether the file has an outbox. The cursor is one of ``sqlite3``, or a framework's with the same methods.

    Raises ``RuntimeError`` where a table ``outbox`` belongs to something else, and where an outbox is incomplete.
    """
    # SQLite ignores case in names.
    cursor.execute(
        "SELECT lower(name) FROM sqlite_master "
        "WHERE type IN ('table', 'view') AND lower(name) IN ('outbox', 'outbox_schema')"
    )
    names = {row[0] for row in cursor.fetchall()}
    if names == {"outbox"}:
        raise RuntimeError(
            "the table outbox is not outboxd's: it has no table outbox_schema beside it. Rename the table, or remove "
            "the model that created it, and run this again"
        )
    if not names:
        return False
    cursor.execute("SELECT count(*) FROM outbox_schema")
    # The schema's last statement inserts the version.
    if cursor.fetchall()[0][0] == 0:
        raise RuntimeError(
            "the outbox is incomplete: its creation ended midway, outside a transaction. `outboxctl migrate --repair` "
            "completes it; if it holds no row, you can remove its tables and views, and run this again"
        )
    return True


def create(cursor: Any) -> bool:
    """Creates the outbox, unless it is there, and says whether it did.

    Begin the transaction with ``BEGIN IMMEDIATE``, else another program's commit can make this one fail. Python's
    ``sqlite3`` begins none for DDL: without one, the outbox is committed at the end.
    """
    with _as_a_whole(cursor):
        if is_there(cursor):
            return False
        for statement in statements():
            cursor.execute(statement)
        return True


def is_unused(cursor: Any) -> bool:
    """Whether no message was ever inserted, and no address was suppressed."""
    cursor.execute(
        "SELECT (SELECT count(*) FROM sqlite_sequence WHERE name = 'outbox' AND seq > 0) "
        "+ (SELECT count(*) FROM outbox_suppression) + (SELECT count(*) FROM outbox_day)"
    )
    return bool(cursor.fetchone()[0] == 0)


def remove_unused(cursor: Any) -> bool:
    """Drops an outbox that was never used, and says whether it did. People may wait for the mails of any other one."""
    with _as_a_whole(cursor):
        if not is_there(cursor) or not is_unused(cursor):
            return False
        # Triggers and indexes go with their tables. A view is created after its tables.
        for kind, name in reversed(_objects()):
            cursor.execute(f"DROP {kind} {name}")
        return True


@contextmanager
def _as_a_whole(cursor: Any) -> Iterator[None]:
    """A savepoint: a part of the caller's transaction, or else a transaction of its own."""
    cursor.execute("SAVEPOINT outbox")
    try:
        yield
        cursor.execute("RELEASE outbox")
    except BaseException:
        try:
            cursor.execute("ROLLBACK TO outbox")
        except Exception as error:
            # After some errors, such as a full disk, SQLite has rolled back the whole transaction.
            if "no such savepoint" not in str(error):
                raise
        else:
            cursor.execute("RELEASE outbox")
        raise


def _objects() -> list[tuple[str, str]]:
    """The tables and views of the schema. An application's own table may begin with ``outbox_``, too."""
    text = "\n".join(statements())
    return re.findall(r"^CREATE (TABLE|VIEW) (\w+)", text, re.MULTILINE)
