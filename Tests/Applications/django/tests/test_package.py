"""outbox_client.django in the situations that public reports about Django and SQLite describe."""

import datetime
import io
import json
import pathlib
import tempfile
from unittest import mock

from accounts.models import Person
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, models, transaction
from django.test import RequestFactory, SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext, isolate_apps

from outbox_client import Result, django as outbox
from outbox_client.django.checks import foreign_keys_to_the_outbox, settings_of_the_database
from outbox_client.django.models import Message, MessageStatus, NotEnqueued

TOKEN = "t0ken-that-nobody-may-ever-read-again"


class EnqueueTests(TestCase):
    def test_a_rule_is_named_and_the_outer_transaction_goes_on(self):
        with self.assertRaisesMessage(IntegrityError, "recipient_is_one_bare_address_with_one_at_sign"):
            with transaction.atomic():
                outbox.enqueue("verify-email", "Ann <ann@example.com>")
        self.assertEqual(outbox.enqueue("verify-email", "ann@example.com"), Message.objects.get().pk)

    def test_a_rolled_back_transaction_leaves_no_mail(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            outbox.enqueue("verify-email", "ann@example.com")
            1 / 0
        self.assertFalse(Message.objects.exists())

    def test_a_broken_transaction_takes_no_row(self):
        with self.assertRaises(transaction.TransactionManagementError), transaction.atomic():
            try:
                with transaction.atomic(savepoint=False):
                    Person.objects.create(email=None)
            except IntegrityError:
                outbox.enqueue("verify-email", "ann@example.com")

    def test_times_are_pythons(self):
        tomorrow = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=1)
        outbox.enqueue(
            "verify-email",
            "ann@example.com",
            not_before=tomorrow,
            valid_for=datetime.timedelta(minutes=30),
            time_zone="Europe/Berlin",
            variables={"name": "Ann"},
        )
        message = Message.objects.get(not_before__gte=tomorrow)
        self.assertEqual(
            (message.not_before, message.valid_for, message.time_zone), (tomorrow, 1_800_000, "Europe/Berlin")
        )
        self.assertEqual(message.variables, {"name": "Ann"})
        with self.assertRaises(ValueError):
            outbox.enqueue("verify-email", "ann@example.com", not_before=datetime.datetime(2030, 1, 1))

    def test_no_query_log_and_no_row_has_the_token(self):
        with CaptureQueriesContext(connection) as queries:
            outbox.enqueue("verify-email", "ann@example.com", token=TOKEN)
        self.assertNotIn(TOKEN, str(queries.captured_queries))
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM outbox")
            self.assertNotIn(TOKEN, str(cursor.fetchall()))

    def test_a_key_counts_once(self):
        ids = [outbox.enqueue("verify-email", "ann@example.com", idempotency_key="once") for _ in range(2)]
        self.assertEqual(ids[0], ids[1])


class ModelTests(TestCase):
    def setUp(self):
        self.id = outbox.enqueue("verify-email", "ann@example.com", token=TOKEN, account=17)

    def test_a_late_save_changes_only_what_may_change(self):
        message = Message.objects.get()
        message.recipient, message.locale = "eve@example.com", "ja"
        message.save()
        message.refresh_from_db()
        self.assertEqual((message.recipient, message.locale), ("ann@example.com", "ja"))

    def test_a_late_save_of_a_row_that_is_gone_does_not_insert(self):
        message = Message.objects.get()
        Message.objects.all().delete()
        with self.assertRaisesMessage(Exception, "did not affect any rows"), transaction.atomic():
            message.save()
        self.assertFalse(Message.objects.exists())

    def test_only_enqueue_inserts(self):
        for insert in (
            lambda: Message.objects.create(kind="verify-email", recipient="a@example.com"),
            lambda: Message(kind="verify-email", recipient="a@example.com").save(),
            lambda: Message.objects.bulk_create([Message(kind="x", recipient="no")], ignore_conflicts=True),
        ):
            with self.assertRaises(NotEnqueued):
                insert()

    def test_cancelling(self):
        Message.objects.filter(pk=self.id).cancel()
        self.assertEqual(outbox.status(id=self.id)[0].state, "cancelled")

    def test_dumpdata_leaves_the_outbox_out(self):
        out = io.StringIO()
        call_command("dumpdata", stdout=out)
        self.assertFalse([row for row in json.loads(out.getvalue()) if row["model"].startswith("outbox.")])
        with self.assertRaises(CommandError):
            call_command("dumpdata", "outbox", stdout=out)

    def test_loaddata_of_rows_of_the_outbox_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "mails.json")
            path.write_text(
                json.dumps([{"model": "outbox.message", "pk": 9, "fields": {"kind": "a", "recipient": "a@b.example"}}])
            )
            with self.assertRaises(NotEnqueued):
                call_command("loaddata", str(path), verbosity=0)

    def test_the_view_is_for_reading(self):
        status = MessageStatus.objects.get(recipient="ANN@example.com")
        self.assertLess(
            abs(status.requested_at - datetime.datetime.now(datetime.timezone.utc)), datetime.timedelta(minutes=1)
        )
        self.assertEqual(
            MessageStatus.objects.filter(requested_at__lt=status.advice_at, may_arrive_twice=False).count(), 1
        )


class AdminTests(TestCase):
    def setUp(self):
        outbox.enqueue("verify-email", "ann@example.com", token=TOKEN, account=17)
        self.id = outbox.enqueue("verify-email", "ben@example.com", token=TOKEN, account="18")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO outbox_attempt (message_id, attempt, started_at, finished_at, outcome, relay, stage, fault, "
                "reason, counts, detail) "
                "VALUES (%s, 1, 1795791639980, 1795791639990, 'deferred', 'smtp.example.com:587', 'rcpt', "
                "'recipient', 'recipient-deferred', 1, '450 4.2.1 Mailbox <busy>')",
                [self.id],
            )
        self.staff = Person.objects.create_user("staff", password="x", is_staff=True)
        self.client.force_login(self.staff)

    def page(self, path="", **query):
        return self.client.get(f"/admin/outbox/messagestatus/{path}", query)

    def test_a_person_without_the_permission_sees_nothing(self):
        self.assertEqual(self.page().status_code, 403)

    def test_the_list_and_a_mail_show_state_advice_and_the_relays_words_and_no_token(self):
        self.staff.user_permissions.add(Permission.objects.get(codename="view_messagestatus"))
        for page in (self.page(), self.page(f"{self.id}/change/")):
            self.assertContains(page, "450 4.2.1 Mailbox &lt;busy&gt;")
            self.assertContains(page, "wait")
            self.assertNotContains(page, TOKEN)
        self.assertContains(self.page(f"{self.id}/change/"), "smtp.example.com:587")

    def test_nobody_can_change_anything(self):
        Person.objects.filter(pk=self.staff.pk).update(is_superuser=True)
        self.assertEqual(self.page("add/").status_code, 403)
        for path in ("change/", "delete/"):
            page = self.client.post(
                f"/admin/outbox/messagestatus/{self.id}/{path}", {"post": "yes", "recipient": "eve@example.com"}
            )
            self.assertEqual(page.status_code, 403)
        self.assertEqual(outbox.status(id=self.id)[0].recipient, "ben@example.com")

    def test_search_by_address_account_and_id(self):
        self.staff.user_permissions.add(Permission.objects.get(codename="view_messagestatus"))
        for term in ("BEN@example.com", "18", str(self.id)):
            page = self.page(q=term)
            self.assertContains(page, "ben@example.com")
            self.assertNotContains(page, "ann@example.com")


class CheckTests(SimpleTestCase):
    def found(self, **settings):
        before = connection.settings_dict
        connection.settings_dict = {**before, **settings}
        try:
            return [message.id for message in settings_of_the_database()]
        finally:
            connection.settings_dict = before

    def test_settings(self):
        immediate = {"transaction_mode": "IMMEDIATE"}
        for expected, settings in (
            ([], {"OPTIONS": immediate}),
            (["outbox.W001"], {"OPTIONS": {}}),
            (["outbox.W001"], {"OPTIONS": {"transaction_mode": "DEFERRED"}}),
            (["outbox.W002"], {"OPTIONS": {**immediate, "timeout": 0}}),
            (["outbox.W002"], {"OPTIONS": {**immediate, "init_command": "PRAGMA busy_timeout = 100;"}}),
            ([], {"OPTIONS": {**immediate, "timeout": 0.1, "init_command": "PRAGMA busy_timeout=20000"}}),
            (["outbox.W003"], {"OPTIONS": immediate, "ATOMIC_REQUESTS": True}),
        ):
            self.assertEqual(self.found(**settings), expected, settings)

    @isolate_apps("accounts", kwarg_name="isolated")
    def test_foreign_keys(self, isolated):
        class OwnMessage(Message):
            class Meta:
                app_label = "accounts"
                proxy = True

        class Invitation(models.Model):
            message = models.ForeignKey(Message, models.CASCADE)
            proxy = models.OneToOneField(OwnMessage, models.CASCADE, related_name="+")
            status = models.ForeignKey(MessageStatus, models.CASCADE)
            several = models.ManyToManyField(Message, related_name="+")
            states = models.ManyToManyField(MessageStatus, related_name="+")
            free = models.ForeignKey(Message, models.DO_NOTHING, db_constraint=False, related_name="+")
            free_status = models.ForeignKey(MessageStatus, models.DO_NOTHING, db_constraint=False, related_name="+")
            free_several = models.ManyToManyField(Message, db_constraint=False, related_name="+")
            itself = models.ForeignKey("self", models.CASCADE)

            class Meta:
                app_label = "accounts"

        with mock.patch("outbox_client.django.checks.apps", isolated):
            found = {message.obj.name: message.id for message in foreign_keys_to_the_outbox()}
        warned, refused = dict.fromkeys(("message", "proxy", "several"), "outbox.W004"), ("status", "states")
        self.assertEqual(found, {**warned, **dict.fromkeys(refused, "outbox.E002")})

    def test_no_database_in_a_simple_test(self):
        with self.assertRaises(Exception) as caught:
            outbox.enqueue("verify-email", "ann@example.com")
        self.assertIn(
            (
                "Database connections to 'default' are not allowed"
                if "connections" in str(caught.exception)
                else "Database queries to 'default' are not allowed"
            ),
            str(caught.exception),
        )


class EmptyTableTests(TransactionTestCase):
    """The runner empties the tables after each test: neither test sees the other's mail."""

    def test_one(self):
        self.assertEqual(outbox.status(account=1), [])
        outbox.enqueue("verify-email", "ann@example.com", account=1)

    test_two = test_one

    def test_on_commit_comes_after_the_row(self):
        seen = []
        with transaction.atomic():
            transaction.on_commit(lambda: seen.extend(outbox.status(account=1)))
            outbox.enqueue("verify-email", "ann@example.com", account=1)
        self.assertEqual([mail.state for mail in seen], ["queued"])

    async def test_an_async_view(self):
        await sync_to_async(outbox.enqueue)("verify-email", "ann@example.com", account=1)
        self.assertEqual(await MessageStatus.objects.acount(), 1)
        with self.assertRaisesMessage(Exception, "async context"):
            outbox.enqueue("verify-email", "ann@example.com")

    def test_codes(self):
        """A wrong try counts though the view fails; what follows from a right one belongs to its transaction."""
        keys = outbox.CheckKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        message = outbox.enqueue("verify-email", "ann@example.com", account=1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT envelope_id, sequence FROM outbox_state")
            envelope, sequence = cursor.fetchone()
            cursor.execute(
                "INSERT INTO outbox_token (message_id, sequence, kind, person, is_replaceable, key_id, code_mac) "
                "VALUES (%s, %s, 'verify-email', 'account:1', 1, %s, %s)",
                [message, sequence, keys.id, keys.proof("12345678", envelope)],
            )

        def tries():
            with connection.cursor() as cursor:
                cursor.execute("SELECT tries, redeemed_at IS NOT NULL FROM outbox_token")
                return cursor.fetchone()

        statements = []
        connection.connection.set_trace_callback(statements.append)
        with outbox.redeem_code("verify-email", "1234567", keys, account=1) as redemption:
            self.assertEqual((redemption.result, statements), (Result.WRONG_CODE, []))
        with self.assertRaises(ZeroDivisionError):
            with outbox.redeem_code("verify-email", "87654321", keys, account=1) as redemption:
                self.assertEqual(redemption.result, Result.WRONG_CODE)
                1 / 0
        # In a deferred transaction, too, the write lock is there before anything is read.
        connection.connection.set_trace_callback(None)
        self.assertTrue(statements[0].startswith("BEGIN") and statements[1].startswith("UPDATE"), statements)
        self.assertEqual(tries(), (1, 0))
        with self.assertRaises(ZeroDivisionError):
            with outbox.redeem_code("verify-email", "1234 5678", keys, account=1) as redemption:
                self.assertTrue(redemption)
                1 / 0
        self.assertEqual(tries(), (1, 0))
        with self.assertRaises(RuntimeError), transaction.atomic():
            with outbox.redeem_code("verify-email", "12345678", keys, account=1):
                pass
        with outbox.redeem_code("verify-email", "12345678", keys, account=1) as redemption:
            Person.objects.create(email="ann@example.com", is_active=bool(redemption))
        self.assertEqual((tries(), Person.objects.get().is_active), ((1, 1), True))


class MigrationTests(TransactionTestCase):
    """Forwards and backwards, with and without mails."""

    def names(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM sqlite_master WHERE name = 'outbox' OR name LIKE 'outbox\\_%%' ESCAPE '\\'", []
            )
            return cursor.fetchone()[0]

    def tearDown(self):
        call_command("migrate", "outbox", verbosity=0)

    def test_backwards(self):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM sqlite_sequence WHERE name LIKE 'outbox%%'", [])
        everything = self.names()
        call_command("migrate", "outbox", "zero", verbosity=0)
        self.assertEqual(self.names(), 0)
        call_command("migrate", "outbox", verbosity=0)
        self.assertEqual(self.names(), everything)
        outbox.enqueue("verify-email", "ann@example.com")
        call_command("migrate", "outbox", "zero", verbosity=0)
        self.assertEqual(self.names(), everything)
        call_command("migrate", "outbox", verbosity=0)
        self.assertEqual(Message.objects.count(), 1)
