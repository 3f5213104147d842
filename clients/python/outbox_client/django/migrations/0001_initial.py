"""Creates the outbox, unless outboxd or ``outboxctl migrate`` did it before.

``RunSQL`` can't do it: Django splits its statements with sqlparse, whose older versions (0.5.0) cut triggers. And
``executescript()`` would commit the migration's transaction.

Backwards, only an outbox that was never used is removed. Any other one stays, with the mails that people wait for, and
with the addresses that must not be mailed: outboxd may run on it, and a migration can't know. Forwards again finds it.
"""

from django.db import migrations, models

from outbox_client import schema
from outbox_client.django.times import MillisecondsField


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            schema.create(cursor)


def remove_unused(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            schema.remove_unused(cursor)


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunPython(create, remove_unused),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Message",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("kind", models.TextField()),
                        ("recipient", models.TextField()),
                        ("account", models.TextField(null=True)),
                        ("locale", models.TextField(null=True)),
                        ("time_zone", models.TextField(null=True)),
                        ("variables", models.JSONField(null=True)),
                        ("idempotency_key", models.TextField(null=True, unique=True)),
                        ("not_before", MillisecondsField(null=True)),
                        ("expires_at", MillisecondsField(null=True)),
                        ("valid_for", models.BigIntegerField(null=True)),
                        ("priority", models.IntegerField(null=True)),
                        ("cancelled", models.IntegerField(null=True)),
                    ],
                    options={"db_table": "outbox", "default_permissions": ("view",)},
                )
            ]
        ),
        migrations.CreateModel(
            name="MessageStatus",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("kind", models.TextField()),
                ("recipient", models.TextField()),
                ("account", models.TextField(null=True)),
                ("state", models.TextField()),
                ("advice", models.TextField()),
                ("advice_at", MillisecondsField(null=True)),
                ("detail", models.TextField(null=True, verbose_name="words of the relay")),
                ("requested_at", MillisecondsField()),
                ("accepted_at", MillisecondsField(null=True)),
                ("delivered_at", MillisecondsField(null=True)),
                ("delayed_at", MillisecondsField(null=True)),
                ("redeemed_at", MillisecondsField(null=True)),
                ("finished_at", MillisecondsField(null=True)),
                ("expires_at", MillisecondsField(null=True)),
                ("attempts", models.IntegerField()),
                ("next_attempt_at", MillisecondsField(null=True)),
                ("waiting_for", models.TextField(null=True)),
                ("may_arrive_twice", models.BooleanField()),
            ],
            options={
                "verbose_name": "mail",
                "db_table": "outbox_status",
                "managed": False,
                "default_permissions": ("view",),
            },
        ),
    ]
