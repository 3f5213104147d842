"""An application with Flask and peewee, as docs/applications.md shows it."""

import os
import pathlib
import sys

sys.path[:0] = [
    os.environ["APPS_DEPS"],
    str(pathlib.Path(__file__).parents[1]),
    str(pathlib.Path(__file__).parents[3] / "clients/python"),
]

import outbox_client
from commands import work
from flask import Flask, request
from outbox_client import schema
from peewee import BooleanField, CharField, Model, SqliteDatabase
from werkzeug.security import generate_password_hash

app = Flask(__name__)
db = SqliteDatabase(None, timeout=5)


class Person(Model):
    email = CharField(unique=True)
    password = CharField()
    verified = BooleanField(default=False)

    class Meta:
        database = db
        table_name = "person"

    def save(self, *arguments, **options):
        work()
        return super().save(*arguments, **options)


@app.before_request
def connect():
    db.connect()


@app.teardown_request
def close(_):
    db.close()


@app.post("/sign-up")
def sign_up():
    email, password = request.form["email"], generate_password_hash(request.form["password"])
    with db.atomic("IMMEDIATE"):
        if not Person.select().where(Person.email == email).exists():
            person = Person.create(email=email, password=password)
            outbox_client.enqueue(db.connection(), "verify-email", email, account=str(person.id), valid_for=1_800_000)
    return "Look for our mail."


@app.post("/verify")
def verify():
    with db.atomic("IMMEDIATE"):
        redemption = outbox_client.redeem(db.connection(), "verify-email", request.form["token"])
        if redemption:
            Person.update(verified=True).where(Person.id == redemption.account).execute()
    return redemption.result.value


@app.get("/mail/<int:person>")
def newest_mail(person):
    mails = outbox_client.status(db.connection(), account=str(person))
    return {"state": mails[0].state, "advice": mails[0].advice} if mails else {}


def test_database():
    db.init(":memory:")
    with db.atomic("IMMEDIATE"):
        schema.create(db.cursor())
        db.create_tables([Person])
