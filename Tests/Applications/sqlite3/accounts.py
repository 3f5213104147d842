"""An application with Python's own sqlite3, as docs/applications.md shows it."""

import pathlib
import sqlite3
import sys

sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parents[3] / "clients/python")]

import outbox_client
from outbox_client import schema


def connect(path):
    return sqlite3.connect(path, timeout=5)


def sign_up(db, email, password_hash):
    with db:  # commits, or rolls back after an exception
        db.execute("BEGIN IMMEDIATE")
        if db.execute("SELECT 1 FROM person WHERE email = ?", (email,)).fetchone():
            return
        insert = "INSERT INTO person (email, password) VALUES (?, ?)"
        person = db.execute(insert, (email, password_hash)).lastrowid
        outbox_client.enqueue(db, "verify-email", email, account=str(person), valid_for=1_800_000)


def verify(db, token):
    with db:
        redemption = outbox_client.redeem(db, "verify-email", token)
        if redemption:
            db.execute("UPDATE person SET verified = 1 WHERE id = ?", (redemption.account,))
    return redemption.result.value


def newest_mail(db, person):
    mails = outbox_client.status(db, account=str(person))
    return (mails[0].state, [advice.value for advice in mails[0].advice]) if mails else None


def test_database():
    db = connect(":memory:")
    with db:
        db.execute("BEGIN IMMEDIATE")
        schema.create(db.cursor())
    return db
