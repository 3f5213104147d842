#!/usr/bin/env python3
# A million old messages that leave while mails pass: how long anybody waits. Run by hand, on a machine that does nothing
# else; all of them take about an hour.
"""Usage: retention.py BUILD-FOLDER [ROWS [SECONDS]]

Fills an outbox with final messages of forty days ago, starts outboxd and a relay, and inserts twenty mails a second until the
old ones are gone, or SECONDS have passed. Prints how long the inserts waited, how long the write lock was taken at a
stretch, and how long the mails took from the insert to their acceptance.
"""

import os
import pathlib
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else float("inf")
CONFIGURATION = """\
database: outbox.db
sender: {{name: Example, address: no-reply@example.com}}
relays: [{{url: "smtp://127.0.0.1:{port}", tls: none}}]
links:
  verify-email: "https://example.com/verify-email?token={{token}}"
  reset-password: "https://example.com/reset-password?token={{token}}"
limits: {{minimum_interval: 0s, per_hour: 1000}}
retention: 30d
log: {{level: info}}
"""


def connect(path):
    return sqlite3.connect(path, timeout=30, isolation_level=None)


def fill(path):
    """Final messages of forty days ago, each with an attempt, a quarter with an idempotency key. Without the triggers, which
    would take an hour."""
    db = connect(path)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -200000")
    old = int((time.time() - 40 * 86400) * 1000)
    triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        db.execute(f"DROP TRIGGER {name}")
    numbers = f"WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {ROWS})"
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        f"{numbers} INSERT INTO outbox (id, kind, recipient, account, variables, idempotency_key) SELECT n, 'verify-email', "
        "'person' || n || '@example.com', 'account-' || (n % 200000), '{\"name\":\"Ann\"}', "
        "iif(n % 4 = 0, 'key-' || n, NULL) FROM number"
    )
    db.execute(
        f"{numbers} INSERT INTO outbox_state (message_id, envelope_id, kind, person, address, priority, requested_at, state, "
        "last_attempt, attempts, accepted_at, finished_at, has_given_token) SELECT n, lower(hex(randomblob(16))), 'verify-email', "
        "'account:account-' || (n % 200000), 'person' || n || '@example.com', 0, ?1 + n, 'accepted', 1, 1, "
        "?1 + n + n % 4000, ?1 + n + n % 4000, 1 FROM number",
        (old,),
    )
    db.execute(
        "INSERT INTO outbox_attempt (message_id, attempt, started_at, finished_at, outcome, relay, stage, reply_code, detail) "
        "SELECT message_id, 1, requested_at, finished_at, 'accepted', 'relay', 'final-dot', 250, '2.0.0 Ok: queued as 4F1' "
        "FROM outbox_state"
    )
    db.execute(
        "INSERT INTO outbox_used_key SELECT idempotency_key, id, ? FROM outbox WHERE idempotency_key IS NOT NULL", (old,)
    )
    for _, statement in triggers:
        db.execute(statement)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class LockProbe(threading.Thread):
    """Tries to take the write lock every half millisecond, and gives it back at once."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.running, self.stretches, self.busy, self.tries = path, True, [], 0, 0

    def run(self):
        db = sqlite3.connect(self.path, timeout=0, isolation_level=None)
        taken_since = None
        while self.running:
            self.tries += 1
            begin = time.perf_counter()
            try:
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
                if taken_since is not None:
                    self.stretches.append(begin - taken_since)
                taken_since = None
            except sqlite3.OperationalError:
                self.busy += 1
                if taken_since is None:
                    taken_since = begin
            time.sleep(0.0005)


def quantiles(name, seconds):
    if not seconds:
        return f"{name}: none"
    values = sorted(value * 1000 for value in seconds)
    parts = [f"p{p} {values[min(len(values) - 1, int(len(values) * p / 100))]:.1f}" for p in (50, 90, 99)]
    return f"{name}: {', '.join(parts)}, max {values[-1]:.1f} ms ({len(values)})"


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        environment = os.environ | {"OUTBOXD_CONFIG": str(folder / "outboxd.yaml")}
        relay = subprocess.Popen(
            [BUILD / "fake-smtp", "--port", "0", "--port-file", folder / "port"], stdout=subprocess.DEVNULL
        )
        while not (folder / "port").exists():
            time.sleep(0.05)
        (folder / "outboxd.yaml").write_text(CONFIGURATION.format(port=(folder / "port").read_text().strip()))
        subprocess.run([BUILD / "outboxctl", "migrate"], env=environment, check=True)
        path = str(folder / "outbox.db")
        begin = time.monotonic()
        fill(path)
        size = os.path.getsize(path)
        print(f"{ROWS} final messages in {size / 1e6:.0f} MB, after {time.monotonic() - begin:.0f} s", flush=True)

        log = open(folder / "log", "w+")
        daemon = subprocess.Popen([BUILD / "outboxd"], env=environment, stdout=log, stderr=log)
        probe = LockProbe(path)
        probe.start()
        db = connect(path)
        reader = connect(path)
        inserts, sent, begin = [], 0, time.monotonic()
        try:
            while True:
                for number in range(100):
                    start = time.perf_counter()
                    db.execute(
                        "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 'a-token')",
                        (f"new{sent}@example.com",),
                    )
                    inserts.append(time.perf_counter() - start)
                    sent += 1
                    time.sleep(0.05)
                # An index of just the old ones.
                left = reader.execute(
                    "SELECT EXISTS (SELECT 1 FROM outbox_state WHERE finished_at IS NOT NULL AND finished_at < ?)",
                    (int((time.time() - 30 * 86400) * 1000),),
                ).fetchone()[0]
                if not left or time.monotonic() - begin > SECONDS:
                    break
            took = time.monotonic() - begin
            while reader.execute("SELECT count(*) FROM outbox_state WHERE finished_at IS NULL").fetchone()[0]:
                time.sleep(0.1)
        finally:
            probe.running = False
            probe.join()
            daemon.terminate()
            daemon.wait()
            relay.terminate()
        text = (folder / "log").read_text()
        latencies = [
            (accepted - requested) / 1000
            for requested, accepted in reader.execute(
                "SELECT requested_at, accepted_at FROM outbox_state WHERE accepted_at > 0 AND message_id > ?", (ROWS,)
            )
        ]
        remaining = reader.execute("SELECT count(*) FROM outbox_state WHERE message_id <= ?", (ROWS,)).fetchone()[0]
        print(f"{ROWS - remaining} of them left within {took:.0f} s, while {sent} mails passed")
        print(quantiles("insert and commit of one mail", inserts))
        print(quantiles("insert to acceptance", latencies))
        print(quantiles("write lock taken at a stretch, as seen from outside", probe.stretches))
        print(f"write lock found taken: {100 * probe.busy / probe.tries:.1f} % of {probe.tries} tries")
        print("outboxd:", "; ".join(re.findall(r".*(?:removed|forgotten).*", text)))
        pages, free = (reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        print(f"the file has {pages} pages, {free} of them free")
        print("by day:", reader.execute("SELECT sum(requested), sum(accepted_in_time), count(*) FROM outbox_day").fetchone(),
              "and", reader.execute("SELECT count(*) FROM outbox_day_delay").fetchone()[0], "buckets")
        if statistics.median(latencies) > 1:
            sys.exit("mails took longer than a second")


if __name__ == "__main__":
    main()
