"""System checks of the settings with which mails and transactions don't disturb each other."""

from __future__ import annotations

import re
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning, register
from django.db import connections, router

_OPTIONS = "within the OPTIONS of DATABASES[{!r}]"
_NO_CONSTRAINT = (
    "Store the message's id in a BigIntegerField, or set db_constraint=False, and on_delete=DO_NOTHING for a ForeignKey."
)


@register()
def settings_of_the_database(**_: Any) -> list[CheckMessage]:
    """Reads the settings only; no connection is opened."""
    from .models import Message

    alias = router.db_for_write(Message)
    connection = connections[alias]
    if connection.vendor != "sqlite":
        return [
            Error(
                f"The outbox is a table in SQLite, and the database {alias!r} is not.",
                hint="Add the outbox's file to DATABASES, and a router that sends the app 'outbox' to it.",
                id="outbox.E001",
            )
        ]
    found: list[CheckMessage] = []
    options = connection.settings_dict.get("OPTIONS") or {}
    mode = str(options.get("transaction_mode") or "DEFERRED").upper()
    if mode not in ("IMMEDIATE", "EXCLUSIVE"):
        found.append(
            Warning(
                f"Transactions on the database {alias!r} are {mode}: one that reads before it writes fails with "
                '"database is locked" if outboxd commits in between, whatever the timeout.',
                hint=f'Set "transaction_mode": "IMMEDIATE" {_OPTIONS.format(alias)}.',
                id="outbox.W001",
            )
        )
    elif connection.settings_dict.get("ATOMIC_REQUESTS"):
        found.append(
            Warning(
                f"ATOMIC_REQUESTS holds the write lock of the database {alias!r} for the whole of each request, even "
                "if it only reads. Other requests and outboxd wait meanwhile.",
                hint="Remove it, and put transaction.atomic() around the statements that belong together.",
                id="outbox.W003",
            )
        )
    timeout = float(options.get("timeout", 5))
    pragma = re.search(r"busy_timeout\s*[=(]\s*(\d+)", str(options.get("init_command", "")), re.IGNORECASE)
    if pragma:
        timeout = int(pragma[1]) / 1000
    if timeout < 5:
        found.append(
            Warning(
                f"A statement on the database {alias!r} waits only {timeout:g} s for another program's commit.",
                hint=f'Set "timeout": 5 or more {_OPTIONS.format(alias)}.',
                id="outbox.W002",
            )
        )
    return found


@register()
def foreign_keys_to_the_outbox(**_: Any) -> list[CheckMessage]:
    """outboxd removes old messages, and a foreign key would keep them. To a view no foreign key can point at all."""
    from .models import Message, MessageStatus

    found: list[CheckMessage] = []
    # The table of a ManyToManyField has foreign keys as well.
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_fields:
            to = getattr(field.related_model, "_meta", None)
            if to is None or not getattr(field, "db_constraint", False):
                continue
            shown = _declared(field)
            name = f"{shown.model._meta.label}.{shown.name}"
            if to.concrete_model is MessageStatus:
                found.append(
                    Error(
                        f"{name} is a foreign key to the view outbox_status: migrate and each "
                        'write fail with "foreign key mismatch".',
                        hint=_NO_CONSTRAINT,
                        obj=shown,
                        id="outbox.E002",
                    )
                )
            elif to.concrete_model is Message:
                found.append(
                    Warning(
                        f"{name} is a foreign key to the outbox: outboxd can't remove old mails.",
                        hint=_NO_CONSTRAINT,
                        obj=shown,
                        id="outbox.W004",
                    )
                )
    return found


def _declared(field: Any) -> Any:
    """The field that the project wrote: for one of an automatic table, the ManyToManyField that it belongs to."""
    owner = field.model._meta.auto_created
    if not owner:
        return field
    return next(many for many in owner._meta.local_many_to_many if many.remote_field.through is field.model)
