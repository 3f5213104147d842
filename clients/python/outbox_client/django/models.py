"""The outbox as models, for reading and cancelling. ``outbox_client.django.enqueue`` inserts.

No model has the column ``token``: the table never shows one. ``Message`` is managed, so that Django's test cases empty
the table, but its migration runs the outbox's own schema in place of Django's.
"""

from __future__ import annotations

from typing import Any, Optional

from django.db import models

from .times import MillisecondsField

__all__ = ["Message", "MessageQuerySet", "MessageStatus", "MillisecondsField", "NotEnqueued"]


class NotEnqueued(TypeError):
    """A way to insert that would lose or repeat a mail."""


class MessageQuerySet(models.QuerySet):
    def cancel(self) -> int:
        """Cancels the messages that no relay has accepted."""
        return self.update(cancelled=1)

    def bulk_create(self, *arguments: Any, **options: Any) -> Any:
        # With ignore_conflicts it would lose rows that break a rule, without an error.
        raise NotEnqueued("use outbox_client.django.enqueue() for each message")


class Message(models.Model):
    """A row of the table ``outbox``: what the application inserted. Its state is in ``MessageStatus``."""

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField()
    recipient = models.TextField()
    account = models.TextField(null=True)
    locale = models.TextField(null=True)
    time_zone = models.TextField(null=True)
    variables = models.JSONField(null=True)
    idempotency_key = models.TextField(null=True, unique=True)
    not_before = MillisecondsField(null=True)
    expires_at = MillisecondsField(null=True)
    valid_for = models.BigIntegerField(null=True)
    priority = models.IntegerField(null=True)
    cancelled = models.IntegerField(null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        db_table = "outbox"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    def save(self, *, using: Optional[str] = None, update_fields: Any = None, **_: Any) -> None:
        """Stores the columns that may change until the first attempt. Never inserts: a row that is gone stays so."""
        if self._state.adding:
            raise NotEnqueued("use outbox_client.django.enqueue(), which inserts into the outbox")
        changeable = ("variables", "locale", "time_zone", "cancelled")
        super().save(using=using, update_fields=changeable if update_fields is None else update_fields)


class MessageStatus(models.Model):
    """A row of the view ``outbox_status``: what became of a message, and what its person should do."""

    id = models.BigIntegerField(primary_key=True)
    kind = models.TextField()
    recipient = models.TextField()
    account = models.TextField(null=True)
    state = models.TextField()
    advice = models.TextField()
    advice_at = MillisecondsField(null=True)
    detail = models.TextField("words of the relay", null=True)
    requested_at = MillisecondsField()
    accepted_at = MillisecondsField(null=True)
    delivered_at = MillisecondsField(null=True)
    delayed_at = MillisecondsField(null=True)
    redeemed_at = MillisecondsField(null=True)
    finished_at = MillisecondsField(null=True)
    expires_at = MillisecondsField(null=True)
    attempts = models.IntegerField()
    next_attempt_at = MillisecondsField(null=True)
    waiting_for = models.TextField(null=True)
    may_arrive_twice = models.BooleanField()

    class Meta:
        managed = False
        db_table = "outbox_status"
        default_permissions = ("view",)
        verbose_name = "mail"

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
