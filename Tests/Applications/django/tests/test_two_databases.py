"""The outbox in a database of its own, by a router. Runs with APPS_SECOND only (`run tools`)."""

import os
import unittest

from django.db import connections, transaction
from django.test import TransactionTestCase

from outbox_client import django as outbox
from outbox_client.django.models import MessageStatus


@unittest.skipUnless("APPS_SECOND" in os.environ, "needs the second database")
class TwoDatabasesTests(TransactionTestCase):
    databases = {"default", "mails"} if "APPS_SECOND" in os.environ else {"default"}

    def test_the_router_decides(self):
        with transaction.atomic(using="mails"):
            outbox.enqueue("verify-email", "ann@example.com", account=1)
        self.assertEqual(MessageStatus.objects.get().state, "queued")
        self.assertIn("outbox", connections["mails"].introspection.table_names())
        self.assertNotIn("outbox", connections["default"].introspection.table_names())
        self.assertNotIn("person", connections["mails"].introspection.table_names())
        with self.assertRaisesMessage(Exception, "no such table"):
            outbox.enqueue("verify-email", "ann@example.com", using="default")
