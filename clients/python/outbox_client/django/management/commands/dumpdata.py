"""Django's ``dumpdata`` without the outbox: loading its rows elsewhere would mail them again (docs/tokens.md)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import dumpdata


class Command(dumpdata.Command):
    def handle(self, *app_labels: str, **options: Any) -> None:
        named = [label for label in app_labels if label.partition(".")[0] == "outbox"]
        if named:
            raise CommandError(
                "the outbox is left out of fixtures, because loading one would mail its messages again; "
                "outboxctl backup copies the file"
            )
        options["exclude"] = [*(options.get("exclude") or []), "outbox"]
        super().handle(*app_labels, **options)
