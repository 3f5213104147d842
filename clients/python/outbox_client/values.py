"""The named values of ``enqueue()``, for type checkers, where a framework's function hands them on."""

from __future__ import annotations

from typing import Any, Mapping, Optional, TypedDict

from outbox_client import Span, Time


class Values(TypedDict, total=False):
    """The keywords of ``outbox_client.enqueue``. ``account`` may be any key of a person: its text counts."""

    account: Optional[object]
    token: Optional[str]
    locale: Optional[str]
    time_zone: Optional[str]
    variables: Optional[Mapping[str, Any]]
    idempotency_key: Optional[str]
    not_before: Optional[Time]
    expires_at: Optional[Time]
    valid_for: Optional[Span]
    priority: int


class Conditions(TypedDict, total=False):
    """The keywords of ``outbox_client.status``."""

    id: Optional[int]
    account: Optional[object]
    recipient: Optional[str]
    kind: Optional[str]


def with_text(values: Mapping[str, Any]) -> dict[str, Any]:
    """A primary key is a number or a UUID, and the outbox's ``account`` is a text."""
    account = values.get("account")
    return dict(values) if account is None else {**values, "account": str(account)}
