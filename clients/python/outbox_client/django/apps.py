"""The application for ``INSTALLED_APPS``. Its label is ``outbox``."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import pre_migrate, pre_save


class OutboxConfig(AppConfig):
    name = "outbox_client.django"
    label = "outbox"
    verbose_name = "Mails"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401
        from .models import Message

        pre_migrate.connect(_create_without_migrations, sender=self)
        pre_save.connect(_refuse_fixtures, sender=Message)


def _create_without_migrations(sender: AppConfig, using: str, **_: Any) -> None:
    """A test run without migrations (``MIGRATION_MODULES``, pytest's ``--nomigrations``) needs the outbox as well.

    Django would create the table from the model, without the rules, the triggers and the view.
    """
    from django.db import connections, router, transaction
    from django.db.migrations.loader import MigrationLoader

    from outbox_client import schema

    from .models import Message

    if MigrationLoader.migrations_module(sender.label)[0] is not None:
        return
    if connections[using].vendor == "sqlite" and router.allow_migrate_model(using, Message):
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            schema.create(cursor)


def _refuse_fixtures(raw: bool, **_: Any) -> None:
    from .models import NotEnqueued

    if raw:
        raise NotEnqueued("a fixture has rows of the outbox: loading them would mail them again")
