"""What the Python applications share: the commands of the harness (scripts/apps-test) and their answers. No SQL."""

import inspect
import json
import random
import sys
import time


def work():
    """An application's own work between the first read and the first write of a transaction: outboxd commits meanwhile."""
    time.sleep(0.05)


def transactions(sign_up, count, prefix):
    """Signs people up, with pauses between them, and counts the transactions that failed."""
    result = {"committed": 0, "locked": 0, "other": []}
    for number in range(int(count)):
        try:
            sign_up(f"{prefix}{number}@example.com")
            result["committed"] += 1
        except Exception as error:
            if "locked" in str(error):
                result["locked"] += 1
            else:
                result["other"].append(f"{type(error).__name__}: {error}")
        time.sleep(random.uniform(0, 0.4))
    return result


def error_of(action):
    """The text that an application gets."""
    try:
        action()
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"error": ""}


def status_of(by_text, by_number):
    """The newest message as found with a text and with a number as the parameter: both must agree."""
    if by_text != by_number or by_text is None:
        return {"state": f"{by_text} with a text, {by_number} with a number", "advice": ""}
    return {"state": by_text[0], "advice": by_text[1]}


def main(**commands):
    """Runs `COMMAND DATABASE ARGUMENTS…` and prints its answer as one line of JSON."""
    command = commands[sys.argv[1]]
    arguments = sys.argv[2 : 2 + len(inspect.signature(command).parameters)]
    print(json.dumps(command(*arguments) or {"ok": True}))
