"""The field of the models for times, which the outbox stores as integers.

It compares moments, and refuses everything else that Django offers for times: the functions of SQLite and of Django
that take a date apart, and a text as ``Now()`` makes one, would answer wrongly for an integer, without an error.
"""

from __future__ import annotations

import datetime
from typing import Any, Iterable, Optional

from django import forms
from django.core.exceptions import FieldError
from django.db import models
from django.db.models import lookups
from django.utils import timezone

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_DATETIMES = models.DateTimeField()


class MillisecondsField(models.Field):
    """A time that is stored as milliseconds since the Unix epoch. Python sees an aware ``datetime`` in UTC.

    A naive value is one of Django's ``TIME_ZONE``; with ``USE_TZ`` Django warns of it, as usual. It is no
    ``DateTimeField``, so Django's functions for dates, such as ``Trunc`` in ``dates()``, don't accept it.
    """

    description = "Milliseconds since the Unix epoch"

    def get_internal_type(self) -> str:
        return "BigIntegerField"

    def db_type(self, connection: Any) -> str:
        return "integer"

    def from_db_value(self, value: Optional[int], expression: Any, connection: Any) -> Optional[datetime.datetime]:
        return None if value is None else _EPOCH + datetime.timedelta(milliseconds=value)

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, int) else _DATETIMES.to_python(value)

    def get_prep_value(self, value: Any) -> Optional[int]:
        value = super().get_prep_value(value)
        if value is None or isinstance(value, int):
            return value
        moment = _DATETIMES.get_prep_value(value)
        if timezone.is_naive(moment):
            moment = timezone.make_aware(moment, timezone.get_default_timezone())
        return (moment - _EPOCH) // datetime.timedelta(milliseconds=1)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.get_prep_value(value)

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"form_class": forms.DateTimeField, **options})

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name not in _COMPARISONS:
            raise self._refusal(lookup_name)
        return super().get_lookup(lookup_name)

    def get_transform(self, lookup_name: str) -> Any:
        raise self._refusal(lookup_name)

    def _refusal(self, lookup_name: str) -> FieldError:
        return FieldError(
            f"{self.name} is stored as an integer and has no lookup {lookup_name!r}. Compare it with datetimes: "
            f"filter({self.name}__gte=…, {self.name}__lt=…); there are {', '.join(sorted(_COMPARISONS))}"
        )


class _WithMoments:
    """For a lookup: an expression on the right must be milliseconds, too. SQLite orders each text behind each integer."""

    lhs: Any
    rhs: Any

    def get_prep_lookup(self) -> Any:
        prepared = super().get_prep_lookup()  # type: ignore[misc]
        self._expect_milliseconds(prepared)
        return prepared

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        # Now an OuterRef has a type as well.
        self._expect_milliseconds(self.rhs)
        return super().as_sql(compiler, connection)  # type: ignore[misc]

    def _expect_milliseconds(self, right: Any) -> None:
        for value in _expressions(right):
            field = getattr(value, "output_field", None)
            if field is not None and not isinstance(field, (MillisecondsField, models.IntegerField)):
                name = self.lhs.output_field.name
                raise FieldError(
                    f"{name} is stored as milliseconds and can't be compared with a {type(field).__name__}. Give a "
                    f"datetime, such as timezone.now() for Now(), or an expression with the output_field "
                    "MillisecondsField() or BigIntegerField()"
                )


def _expressions(right: Any) -> Iterable[Any]:
    """The expressions among the values on the right of a lookup."""
    if isinstance(right, models.expressions.ExpressionList):
        return right.get_source_expressions()
    values = right if isinstance(right, (list, tuple)) else [right]
    return [value for value in values if hasattr(value, "resolve_expression")]


_COMPARISONS = {
    lookup.lookup_name: MillisecondsField.register_lookup(type(lookup.__name__, (_WithMoments, lookup), {}))
    for lookup in (
        lookups.Exact,
        lookups.In,
        lookups.LessThan,
        lookups.LessThanOrEqual,
        lookups.GreaterThan,
        lookups.GreaterThanOrEqual,
        lookups.Range,
    )
} | {"isnull": lookups.IsNull}
