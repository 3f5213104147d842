"""The test of an application, as docs/applications.md shows it: in Django's test database, without outboxd."""

from accounts.models import Person
from accounts.services import newest_mail, sign_up

from django.test import TestCase
from outbox_client.django.models import Message


class SignUpTests(TestCase):
    def test_a_mail_is_on_its_way(self):
        sign_up("ann@example.com", "secret")
        person = Person.objects.get()
        self.assertEqual(Message.objects.get().account, str(person.pk))
        self.assertEqual(newest_mail(person).state, "queued")
