"""Reports of errors, which Django mails to ADMINS, show the variables of each frame. No token and no code is in them."""

import html
import sys

from django.db import connection
from django.test import TransactionTestCase
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter

import outbox_client
from outbox_client import django as outbox

TOKEN = "t0ken-that-nobody-may-ever-read-again"
CODE = "4711 0815"
KEYS = outbox.CheckKey("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")


class ReportTests(TransactionTestCase):
    def setUp(self):
        self.message = outbox.enqueue("verify-email", "ann@example.com", account=1)

    def report(self, action):
        """What AdminEmailHandler(include_html=True) mails."""
        self.assertIs(AdminEmailHandler(include_html=True).reporter_class, ExceptionReporter)
        try:
            action()
        except Exception:
            return ExceptionReporter(None, *sys.exc_info()).get_traceback_html()
        self.fail("nothing failed")

    def expect_no_secret(self, function, action, variable="db"):
        report = self.report(action)
        # The package's frames are there, and the names of their variables.
        for text in (f", in {function}\n", f"<td>{variable}</td>"):
            self.assertTrue(text in report, text)
        for secret in (TOKEN, html.escape(repr(outbox_client._digest(TOKEN))[2:12]), CODE, CODE.replace(" ", "")):
            self.assertFalse(secret in report, (function, secret))

    def with_code(self, kind="verify-email"):
        with outbox.redeem_code(kind, CODE, KEYS, account=1):
            pass

    def test_a_wrong_value(self):
        for action in (
            lambda: outbox.enqueue("verify-email", "two@at@signs", token=TOKEN),
            lambda: outbox.enqueue("verify-email", "ann@example.com", token=TOKEN, variables={"a": object()}),
            lambda: outbox.enqueue("verify-email", "ann@example.com", token=TOKEN, idempotency_key=object()),
        ):
            self.expect_no_secret("enqueue", action)
        self.expect_no_secret("look", lambda: outbox.look(object(), TOKEN))
        self.expect_no_secret("redeem", lambda: outbox.redeem(object(), TOKEN))
        self.expect_no_secret("_redeem_code", lambda: self.with_code(object()))

    def test_a_file_that_takes_no_write(self):
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = 1")
        try:
            self.expect_no_secret("enqueue", lambda: outbox.enqueue("verify-email", "ann@example.com", token=TOKEN))
            self.expect_no_secret("redeem", lambda: outbox.redeem("verify-email", TOKEN))
            self.expect_no_secret("_redeeming", self.with_code, "redeem")
        finally:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA query_only = 0")

    def test_an_error_of_the_view(self):
        def view():
            with outbox.redeem_code("verify-email", CODE, KEYS, account=1):
                1 / 0

        report = self.report(view)
        for text, is_there in (("division by zero", True), (CODE, False), (CODE.replace(" ", ""), False)):
            self.assertEqual(text in report, is_there, text)
