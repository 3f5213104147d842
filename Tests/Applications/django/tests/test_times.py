"""Times of the models: what compares moments is right, and everything else is refused by name."""

import datetime

from accounts.models import Person
from django.contrib.auth.models import Permission
from django.core.exceptions import FieldError
from django.db.models import BigIntegerField, DateTimeField, ExpressionWrapper, F, Max, OuterRef, Subquery, Value
from django.db.models.functions import ExtractYear, Now, TruncDate
from django.test import TestCase, override_settings
from django.utils import timezone

from outbox_client import django as outbox
from outbox_client.django.models import MessageStatus, MillisecondsField

HOUR = datetime.timedelta(hours=1)


class TimesTests(TestCase):
    def setUp(self):
        outbox.enqueue("verify-email", "ann@example.com", account=17)
        self.now = MessageStatus.objects.get().requested_at

    def count(self, **conditions):
        return MessageStatus.objects.filter(**conditions).count()

    def test_comparisons(self):
        before, after = self.now - HOUR, self.now + HOUR
        for expected, conditions in (
            (1, {"requested_at": self.now}),
            (0, {"requested_at": after}),
            (1, {"requested_at__in": [before, self.now]}),
            (0, {"requested_at__in": [before, after]}),
            (1, {"requested_at__lt": after, "requested_at__gt": before}),
            (0, {"requested_at__lt": before}),
            (0, {"requested_at__gt": after}),
            (1, {"requested_at__lte": self.now, "requested_at__gte": self.now}),
            (1, {"requested_at__range": (before, after)}),
            (0, {"requested_at__range": (after, after + HOUR)}),
            (1, {"requested_at__isnull": False, "finished_at__isnull": True, "finished_at": None}),
            (1, {"requested_at__gte": before.isoformat()}),
            (1, {"requested_at": int(self.now.timestamp() * 1000 + 0.5)}),
            (1, {"requested_at__lt": F("advice_at")}),
            (1, {"requested_at__range": (before, F("advice_at"))}),
            (1, {"requested_at__gte": Value(self.now, output_field=MillisecondsField())}),
            (1, {"requested_at__in": MessageStatus.objects.values("requested_at")}),
            (1, {"requested_at__gte": Subquery(MessageStatus.objects.filter(id=OuterRef("id")).values("requested_at"))}),
            (1, {"advice_at__gt": ExpressionWrapper(F("requested_at") + Value(1), output_field=BigIntegerField())}),
        ):
            self.assertEqual(self.count(**conditions), expected, conditions)
        self.assertEqual(MessageStatus.objects.aggregate(newest=Max("requested_at"))["newest"], self.now)
        self.assertEqual(MessageStatus.objects.latest("requested_at").requested_at, self.now)

    def test_lookups_that_take_a_date_apart_are_refused_with_advice(self):
        for name in ("date", "year", "month", "hour", "year__gte", "contains", "iexact", "startswith", "regex"):
            with self.assertRaisesMessage(FieldError, "requested_at__gte=…, requested_at__lt=…"):
                MessageStatus.objects.filter(**{f"requested_at__{name}": 2026})
        for use in (
            lambda: MessageStatus.objects.dates("requested_at", "day"),
            lambda: MessageStatus.objects.datetimes("requested_at", "hour"),
            lambda: MessageStatus.objects.annotate(day=TruncDate("requested_at")),
            lambda: MessageStatus.objects.annotate(year=ExtractYear("requested_at")),
            lambda: MessageStatus.objects.values("requested_at__year"),
            lambda: list(MessageStatus.objects.order_by("requested_at__year")),
            lambda: list(MessageStatus.objects.annotate(later=F("requested_at") + HOUR)),
        ):
            with self.assertRaises((FieldError, TypeError, ValueError)):
                use()

    def test_expressions_of_other_types_are_refused_with_advice(self):
        Person.objects.create_user("ann@example.com")
        for lookup, right in (
            ("lt", Now()),
            ("gt", Value(self.now)),
            ("exact", Now()),
            ("range", (self.now, Now())),
            ("in", [Now()]),
            ("in", Person.objects.values("date_joined")),
            ("gt", Subquery(Person.objects.values("date_joined")[:1])),
            ("gt", ExpressionWrapper(F("requested_at"), output_field=DateTimeField())),
        ):
            with self.assertRaisesMessage(FieldError, "Give a datetime"):
                MessageStatus.objects.filter(**{f"requested_at__{lookup}": right})
        outer = MessageStatus.objects.filter(requested_at__lt=OuterRef("date_joined")).values("id")[:1]
        with self.assertRaisesMessage(FieldError, "Give a datetime"):
            list(Person.objects.annotate(mail=Subquery(outer)))

    def test_the_admin_site_refuses_them_as_well(self):
        staff = Person.objects.create_user("staff", password="x", is_staff=True)
        staff.user_permissions.add(Permission.objects.get(codename="view_messagestatus"))
        self.client.force_login(staff)
        path = "/admin/outbox/messagestatus/"
        self.assertRedirects(self.client.get(path, {"requested_at__year": 2026}), path + "?e=1")
        for seconds, is_shown in ((-60, True), (60, False)):
            since = self.now + datetime.timedelta(seconds=seconds)
            page = self.client.get(path, {"requested_at__gte": str(since)})
            (self.assertContains if is_shown else self.assertNotContains)(page, "ann@example.com")

    def test_naive_values_are_of_djangos_time_zone(self):
        with override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo"):
            there = timezone.make_naive(self.now, timezone.get_default_timezone())
            self.assertEqual(self.count(requested_at__gt=datetime.datetime(2020, 1, 1)), 1)
            self.assertEqual(self.count(requested_at__gt=datetime.date(2020, 1, 1)), 1)
            self.assertEqual((self.count(requested_at=there), self.count(requested_at__gt=there)), (1, 0))
            self.assertEqual(self.count(requested_at__lt=there - HOUR), 0)
            self.assertEqual(self.count(requested_at__in=[there], requested_at__range=(there, there)), 1)
            self.assertEqual(MessageStatus.objects.get().requested_at, self.now)
        with override_settings(TIME_ZONE="Asia/Tokyo"), self.assertWarnsMessage(RuntimeWarning, "naive datetime"):
            self.assertEqual(self.count(requested_at=there), 1)
