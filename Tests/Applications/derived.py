"""The rows of a model that an ORM derived from the file, from insert to delete: the same for all Python applications.

Shows what the ORM sees; scripts/apps-test looks into the file. No SQL.
"""

import time
import types

import commands

LIMIT = 20  # seconds
REFUSED = "only_variables_locale_time_zone_and_cancelled_can_be_changed"
COLUMNS = (
    "id kind recipient token locale time_zone account variables idempotency_key not_before expires_at valid_for priority "
    "cancelled"
).split()
DEFAULTS = dict.fromkeys(COLUMNS) | {"variables": "{}", "priority": 0, "cancelled": 0}


def module(source, name):
    """The Python code that an ORM printed, imported as it is."""
    found = types.ModuleType(name)
    exec(source, vars(found))
    return found


def models(model, token):
    """`model` inserts an object, reads all columns, saves all columns of an object, cancels, deletes, reads the state."""
    least = {"kind": "verify-email", "recipient": "saved@models.example"}
    saved = model.insert(**least, token=token)
    expect(model.columns(saved.id), DEFAULTS | least | {"id": saved.id}, "a row with the required columns only")

    # Each column is given in one of two rows: expires_at and valid_for exclude each other.
    now = time.time_ns() // 1_000_000
    values = {
        "id": 1_000_000,
        "kind": "verify-email",
        "recipient": "waiting@models.example",
        "token": token[::-1],
        "locale": "ja-JP",
        "time_zone": "Asia/Tokyo",
        "account": "models",
        "variables": '{"name": "Ann"}',
        "idempotency_key": "models",
        "not_before": now + 3_600_000,
        "expires_at": now + 7_200_000,
        "valid_for": None,
        "priority": -3,
        "cancelled": 0,
    }
    waiting = model.insert(**values)
    expect(model.columns(waiting.id), values | {"token": None}, "a row with all columns")

    # These objects have NULL where the row has a default (SQLAlchemy omits it), and are saved before the mail leaves.
    deleted = []
    for number in (0, 1):
        values = {"recipient": f"deleted{number}@models.example", "not_before": now + 1000, "valid_for": 1_800_000}
        row = model.insert(kind="verify-email", **values, **dict.fromkeys(("variables", "priority", "cancelled")))
        expect(model.columns(row.id), DEFAULTS | least | values | {"id": row.id}, "a row with NULL for each default")
        model.save(row)
        deleted.append(row)

    for each in (saved, *deleted):
        wait_until_accepted(model, each.id)
    # The object still has the token, and all columns as they were before the mail.
    expect(saved.token, token, "the token of the object in memory")
    model.save(saved)
    saved.cancelled = 1
    model.save(saved)
    saved.recipient = "other@models.example"
    error = commands.error_of(lambda: model.save(saved))["error"]
    expect(REFUSED in error, True, f"the error {error} for another recipient")
    expect(model.columns(saved.id)["token"], None, "the token after a late save")
    expect(model.state(saved.id), "accepted", "the state after a late save")

    model.cancel(waiting.id)
    expect(model.state(waiting.id), "cancelled", "the state after cancelling")
    model.save(waiting)
    expect(model.columns(waiting.id)["token"], None, "the token of a cancelled message after a late save")
    expect(model.state(waiting.id), "cancelled", "the state of a cancelled message after a late save")

    for each, foreign_keys in zip(deleted, (1, 0)):
        expect(model.delete(each.id, foreign_keys), foreign_keys, "PRAGMA foreign_keys")
        expect(model.state(each.id), None, f"the state of a deleted row, with foreign_keys = {foreign_keys}")
    return {"ok": True, "note": model.note}


def expect(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found}, not {wanted}")


def wait_until_accepted(model, number):
    deadline = time.monotonic() + LIMIT
    while (state := model.state(number)) != "accepted":
        expect(time.monotonic() < deadline, True, f"the message {number} is {state} after {LIMIT} s, so in time")
        time.sleep(0.05)
