"""The test of an application, as docs/applications.md shows it: in Django's test database, without outboxd."""
from django.contrib.auth import get_user_model
from django.test import TestCase
from mysite.mails import outbox, sign_up


class SignUpTests(TestCase):
    def test_a_mail_is_on_its_way(self):
        sign_up("ann@example.com")
        user = get_user_model().objects.get()
        self.assertEqual(outbox.status(account=user.pk)[0].state, "queued")
