#!/usr/bin/env python3
"""Measures outboxd against what else could be used, and against the limit, in one run on one machine.

usage: bench.py [--quick] [--only NAME[,NAME…]] [--results FILE] PROGRAMS BARE-LOOP PIPELINED-LOOP

PROGRAMS is the folder with the release builds of outboxd and outboxctl. Every figure is the median of alternating
runs; ratios are of those medians. Everybody sends mails of the size that outboxd makes. Needs postfix (smtp-sink,
smtp-source, and as a peer), pip, valgrind and binutils. Writes results.json into this folder; report.py makes the
tables and pictures of it. Everything listens on loopback, and every process that is started is ended by its id.
"""
import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
OPEN = """SELECT EXISTS (SELECT 1 FROM outbox_state WHERE due_at IS NOT NULL)
              OR EXISTS (SELECT 1 FROM outbox_state WHERE state = 'sending')"""


def log(*words):
    print(*words, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_port(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    sys.exit(f"nothing listens on port {port}")


@contextlib.contextmanager
def sink():
    """Postfix's smtp-sink, which takes everything and keeps nothing."""
    port = free_port()
    process = subprocess.Popen(["smtp-sink", "-u", "nobody", "-m", "400", f"127.0.0.1:{port}", "1000"], stderr=subprocess.DEVNULL)
    try:
        await_port(port)
        yield port
    finally:
        end(process)


class DistantRelay:
    """Answers the commands of one read together after one delay (RFC 2920), and the final dot after another, from one thread
    per connection."""

    def __init__(self, command, final):
        self.command, self.final = command, final
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=400)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.sendall(b"220 distant\r\n")
            buffer = b""
            while True:
                while not buffer.endswith(b"\r\n"):
                    chunk = connection.recv(65536)
                    if not chunk:
                        return
                    buffer += chunk
                verbs = [line[:4].upper() for line in buffer.split(b"\r\n")[:-1]]
                buffer = b""
                time.sleep(self.command)
                connection.sendall(b"".join(self.replies.get(verb, b"250 ok\r\n") for verb in verbs))
                if verbs[-1] == b"QUIT":
                    return
                if verbs[-1] == b"DATA":
                    while not (buffer.endswith(b"\r\n.\r\n") or buffer == b".\r\n"):
                        chunk = connection.recv(65536)
                        if not chunk:
                            return
                        buffer += chunk
                    buffer = b""
                    time.sleep(self.final)
                    connection.sendall(b"250 2.0.0 queued\r\n")

    replies = {
        b"EHLO": b"250-distant\r\n250 PIPELINING\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"
    }

    def close(self):
        self.listener.close()


class Outboxd:
    """One database, and outboxd on it when asked."""

    def __init__(self, programs, folder, port, connections=10, further=""):
        self.programs, self.folder = programs, Path(folder)
        self.database = self.folder / "outbox.db"
        self.process = None
        (self.folder / "outboxd.yaml").write_text(
            f"""database: outbox.db
sender: {{name: Trend Cloud One, address: no-reply@cloudone.trendmicro.com}}
relays: [{{url: "smtp://127.0.0.1:{port}", tls: none, connections: {connections}, messages_per_connection: 100000}}]
links:
  verify-email: "https://cloudone.trendmicro.com/verify-email?token={{token}}"
  reset-password: "https://cloudone.trendmicro.com/reset-password?token={{token}}"
{further}
"""
        )
        self.ctl("migrate")

    def ctl(self, *words):
        return subprocess.run(
            [self.programs / "outboxctl", *words, "--config", self.folder / "outboxd.yaml"],
            check=True, capture_output=True, text=True,
        ).stdout

    def connect(self):
        return sqlite3.connect(self.database, timeout=60)

    def fill(self, count):
        with contextlib.closing(self.connect()) as db, db:
            db.executemany(
                "INSERT INTO outbox (kind, recipient, token, account, variables) VALUES (?, ?, ?, ?, ?)",
                (
                    (
                        "verify-email" if number % 2 else "reset-password", f"person{number}@example.com",
                        f"token-{number:012d}-0123456789abcdef", f"account-{number}", '{"name": "Ann"}',
                    )
                    for number in range(count)
                ),
            )

    def start(self, wait_ready=True, command=None):
        self.log = open(self.folder / "outboxd.log", "w")
        self.started_at = time.time()
        self.process = subprocess.Popen(
            [*(command or [self.programs / "outboxd"]), "--config", self.folder / "outboxd.yaml"], stderr=self.log
        )
        if wait_ready:
            while "delivery started" not in (self.folder / "outboxd.log").read_text():
                if self.process.poll() is not None:
                    sys.exit((self.folder / "outboxd.log").read_text())
                time.sleep(0.002)
        return self

    def stop(self):
        if self.process:
            end(self.process)
            self.log.close()
            self.process = None

    def wait_until_drained(self, timeout=600):
        deadline = time.monotonic() + timeout
        with contextlib.closing(self.connect()) as db:
            while db.execute(OPEN).fetchone()[0]:
                if time.monotonic() > deadline:
                    sys.exit("outboxd did not drain its outbox")
                time.sleep(0.01)
        return time.time()

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        tick = os.sysconf("SC_CLK_TCK")
        return int(fields[11]) / tick, int(fields[12]) / tick

    def resident_megabytes(self, field="VmRSS"):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / 1024

    def memory(self):
        """Resident memory, and what of it is no page of a file."""
        return {"megabytes": self.resident_megabytes(), "anonymous_megabytes": self.resident_megabytes("RssAnon")}


@contextlib.contextmanager
def outboxd(programs, port, **options):
    with tempfile.TemporaryDirectory(prefix="outboxd-bench.") as folder:
        program = Outboxd(programs, folder, port, **options)
        try:
            yield program
        finally:
            program.stop()


def mail_octets(programs):
    """How long the mails are that outboxd makes here, so that everything else sends as much."""
    with outboxd(programs, 9) as program:
        mails = [program.ctl("preview", kind, "--part", "message") for kind in ("verify-email", "reset-password")]
    # Reading as text has made one character of each CRLF.
    return round(statistics.mean(len(mail.encode()) + mail.count("\n") for mail in mails))


# Drain


def drain_outboxd(arguments, port, connections, messages):
    with outboxd(arguments.programs, port, connections=connections) as program:
        program.fill(messages)
        program.start()
        finished = program.wait_until_drained()
        user, system = program.cpu_seconds()
        with contextlib.closing(program.connect()) as db:
            started = db.execute("SELECT min(started_at) FROM outbox_attempt").fetchone()[0] / 1000
            accepted = db.execute("SELECT count(*) FROM outbox_state WHERE state = 'accepted'").fetchone()[0]
        assert accepted == messages, f"{accepted} of {messages} accepted"
        return {"seconds": finished - started, "user": user, "system": system}


def drain_bare_loop(arguments, port, connections, messages):
    return drain_loop(arguments.bare_loop, arguments, port, connections, messages)


def drain_pipelined_loop(arguments, port, connections, messages):
    return drain_loop(arguments.pipelined_loop, arguments, port, connections, messages)


def drain_loop(loop, arguments, port, connections, messages):
    output = subprocess.run(
        [loop, f"smtp://127.0.0.1:{port}", str(connections), str(messages), str(arguments.octets)],
        check=True, capture_output=True, text=True,
    ).stdout
    seconds, user, system = map(float, output.split())
    return {"seconds": seconds, "user": user, "system": system}


def drain_smtp_source(arguments, port, connections, messages):
    start = time.monotonic()
    subprocess.run(
        ["smtp-source", "-d", "-s", str(connections), "-l", str(arguments.octets), "-m", str(messages), f"127.0.0.1:{port}"],
        check=True,
    )
    return {"seconds": time.monotonic() - start}


def drain_postfix(arguments, port, connections, messages):
    """A Postfix instance of its own: accepts into its queue with delivery switched off, then drains it."""
    folder = Path(tempfile.mkdtemp(prefix="outboxd-bench-postfix."))
    config = folder / "etc"
    listen = free_port()
    shutil.copytree("/etc/postfix", config, symlinks=False, ignore=shutil.ignore_patterns("*.d", "sasl"))
    os.chmod(folder, 0o755)
    settings = {
        "queue_directory": folder / "spool", "data_directory": folder / "data", "myhostname": "bench.example.com",
        "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mydestination": "", "relayhost": f"[127.0.0.1]:{port}",
        "smtp_tls_security_level": "none", "smtpd_tls_security_level": "none", "mynetworks": "127.0.0.0/8",
        "default_process_limit": "100", "smtp_destination_concurrency_limit": connections,
        "default_destination_concurrency_limit": connections, "initial_destination_concurrency": connections,
        "smtp_connection_cache_on_demand": "yes", "smtp_connection_cache_destinations": f"[127.0.0.1]:{port}",
        "smtpd_client_connection_count_limit": 0, "smtpd_client_connection_rate_limit": 0, "defer_transports": "smtp",
        "smtpd_relay_restrictions": "permit_mynetworks, reject", "alias_maps": "", "alias_database": "",
        "in_flow_delay": 0, "qmgr_message_active_limit": 20000, "qmgr_message_recipient_limit": 20000,
        "multi_instance_wrapper": "", "multi_instance_enable": "no", "multi_instance_directories": "",
        "maillog_file": "", "syslog_name": "bench", "minimal_backoff_time": "1s", "queue_run_delay": "1h",
    }
    for name in ("spool", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (config / "main.cf").write_text("compatibility_level = 3.6\n" + "".join(f"{k} = {v}\n" for k, v in settings.items()))
    master = (config / "master.cf").read_text()
    lines = [line for line in master.splitlines() if not line.startswith("smtp      inet")]
    (config / "master.cf").write_text(f"127.0.0.1:{listen} inet n - n - 100 smtpd\n" + "\n".join(lines).replace("       y  ", "       n  ") + "\n")

    def postfix(*words):
        return subprocess.run(["postfix", "-c", config, *words], capture_output=True, text=True)

    def queued():
        return sum(len(files) for name in ("incoming", "active", "deferred", "maildrop")
                   for _, _, files in os.walk(folder / "spool" / name))

    started = postfix("start")
    if started.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        sys.exit(f"Postfix does not start: {started.stderr}")
    try:
        await_port(listen)
        subprocess.run(
            ["smtp-source", "-d", "-s", "20", "-l", str(arguments.octets), "-m", str(messages), f"127.0.0.1:{listen}"],
            check=True,
        )
        deadline = time.monotonic() + 120
        while len(list((folder / "spool" / "active").rglob("*"))) > 20 or queued() < messages:
            if time.monotonic() > deadline:
                sys.exit("Postfix did not defer its queue")
            time.sleep(0.1)
        subprocess.run(["postconf", "-c", config, "defer_transports="], check=True)
        # A queue manager that starts looks through the deferred queue by itself.
        start = time.monotonic()
        postfix("reload")
        postfix("flush")
        deadline = time.monotonic() + 300
        while queued():
            if time.monotonic() > deadline:
                sys.exit("Postfix did not drain its queue")
            time.sleep(0.05)
        return {"seconds": time.monotonic() - start}
    finally:
        postfix("stop")
        shutil.rmtree(folder, ignore_errors=True)


POST_OFFICE = """
import sys, time
sys.path.insert(0, sys.argv[1])
folder, port, threads, messages = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder + "/post.db",
                           "OPTIONS": {"timeout": 60}}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    INSTALLED_APPS=["django.contrib.contenttypes", "post_office"], DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    EMAIL_BACKEND="post_office.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=port, USE_TZ=True, SECRET_KEY="bench",
    POST_OFFICE={"BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}, "BATCH_SIZE": 1000,
                 "THREADS_PER_PROCESS": threads, "LOG_LEVEL": 0, "BATCH_DELIVERY_TIMEOUT": 600})
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from post_office.mail import _send_bulk, get_queued, send_many
from post_office.models import Email
# Twice, and some headers: what the others send.
text = ("Please verify your email address. " * 1000)[:(int(sys.argv[6]) - 700) // 2]
send_many([{"recipients": [f"person{n}@example.com"], "sender": "no-reply@example.com", "subject": "Verify your email address",
            "message": text, "html_message": "<p>" + text + "</p>"} for n in range(messages)])
start = time.monotonic()
while True:
    queued = get_queued()
    if not queued:
        break
    _send_bulk(list(queued), uses_multiprocessing=False, log_level=0)
seconds = time.monotonic() - start
sent = Email.objects.filter(status=0).count()
assert sent == messages, f"{sent} of {messages} sent"
print(seconds)
"""


def post_office_packages(arguments):
    folder = HERE / ".packages"
    if not (folder / "post_office").exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "django-post_office==3.12.0"], check=True
        )
    return folder


def drain_post_office(arguments, port, connections, messages):
    packages = post_office_packages(arguments)
    with tempfile.TemporaryDirectory(prefix="outboxd-bench.") as folder:
        output = subprocess.run(
            [sys.executable, "-c", POST_OFFICE, packages, folder, str(port), str(connections), str(messages), str(arguments.octets)],
            check=True, capture_output=True, text=True,
        ).stdout
        return {"seconds": float(output.split()[-1])}


def bench_drain(arguments):
    results = {}
    messages = 2000 if arguments.quick else 10_000
    runs = 3 if arguments.quick else 5
    contenders = {
        "outboxd": (drain_outboxd, messages), "bare loop": (drain_bare_loop, messages),
        "pipelined loop": (drain_pipelined_loop, messages),
    }
    if not arguments.quick:
        contenders |= {
            "smtp-source": (drain_smtp_source, messages), "Postfix": (drain_postfix, 3000),
            "django-post_office": (drain_post_office, 1000),
        }
    for connections in (10,) if arguments.quick else (10, 20):
        samples = {name: [] for name in contenders}
        with sink() as port:
            for run in range(runs):
                for name, (measure, count) in contenders.items():
                    sample = measure(arguments, port, connections, count)
                    sample["rate"] = count / sample["seconds"]
                    samples[name].append(sample)
                    log(f"drain, {connections} connections, run {run + 1}: {name} {sample['rate']:.0f}/s")
        results[str(connections)] = {
            name: {
                "rate": statistics.median(sample["rate"] for sample in runs_of),
                "rates": [round(sample["rate"]) for sample in runs_of],
                **(
                    {
                        "user_us": statistics.median(sample["user"] for sample in runs_of) / contenders[name][1] * 1e6,
                        "system_us": statistics.median(sample["system"] for sample in runs_of) / contenders[name][1] * 1e6,
                    }
                    if "user" in runs_of[0]
                    else {}
                ),
            }
            for name, runs_of in samples.items()
        }
    return results


# Cost of a message


def bench_cost(arguments):
    """Instructions in user space by valgrind's count, which doesn't depend on the machine's mood."""
    loops = {"bare loop": arguments.bare_loop, "pipelined loop": arguments.pipelined_loop}
    counts = {name: [] for name in ("outboxd", *loops)}
    few, many = 1500, 2500
    with tempfile.TemporaryDirectory(prefix="outboxd-bench.") as folder:
        # Valgrind can't read the debugging information that Swift 6 writes.
        stripped = Path(folder) / "outboxd"
        subprocess.run(["strip", "--strip-debug", "-o", stripped, arguments.programs / "outboxd"], check=True)
        callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind", "--fair-sched=yes"]
        for messages in (few, many):
            with sink() as port, outboxd(arguments.programs, port) as program:
                program.fill(messages)
                program.start(command=[*callgrind, stripped])
                program.wait_until_drained()
                program.stop()
                counts["outboxd"].append(instructions((program.folder / "outboxd.log").read_text()))
            for name, loop in loops.items():
                with sink() as port:
                    output = subprocess.run(
                        [*callgrind, loop, f"smtp://127.0.0.1:{port}", "10", str(messages), str(arguments.octets)],
                        check=True, capture_output=True, text=True,
                    )
                    counts[name].append(instructions(output.stderr))
    # Start and end cost the same both times.
    results = {name: (counted[1] - counted[0]) / (many - few) for name, counted in counts.items()}
    log(f"instructions of a message: {results}")
    return results


def instructions(text):
    return int(re.search(r"Collected : (\d+)", text)[1])


# A relay at a distance


def bench_distance(arguments):
    """Beside libcurl's own conversation, which waits for the reply to each command."""
    results = []
    places = ((0.010, 0.050, 10), (0.020, 0.020, 10)) if arguments.quick else ((0.010, 0.050, 1), (0.010, 0.050, 10), (0.010, 0.050, 100), (0.020, 0.020, 10))
    for command, final, connections in places:
        rates, bare = [], []
        for run in range(1 if arguments.quick else 5):
            rates.append(distant_rate(arguments, command, final, connections))
            bare.append(distant_bare_rate(arguments, command, final, connections))
            log(f"distance, {command * 1000:.0f} ms, {connections} connections, run {run + 1}: {rates[-1]:.1f}/s and {bare[-1]:.1f}/s")
        rate, bare_rate = statistics.median(rates), statistics.median(bare)
        # MAIL, RCPT and DATA take one delay together, and the final dot its own.
        ideal = connections / (command + final)
        results.append(
            {
                "command_ms": round(command * 1000), "final_ms": round(final * 1000), "connections": connections, "rate": rate,
                "ideal": ideal, "ratio": rate / ideal, "bare_rate": bare_rate, "to_bare": rate / bare_rate,
            }
        )
    return results


def distant_bare_rate(arguments, command, final, connections):
    relay = DistantRelay(command, final)
    messages = connections * 50
    sample = drain_bare_loop(arguments, relay.port, connections, messages)
    relay.close()
    return messages / sample["seconds"]


def distant_rate(arguments, command, final, connections):
    # Enough that one message more on one connection than on the others is no matter.
    messages = connections * 50
    relay = DistantRelay(command, final)
    with outboxd(arguments.programs, relay.port, connections=connections) as program:
        # The connections are made, and then measured on.
        program.fill(connections * 2)
        program.start()
        program.wait_until_drained()
        with contextlib.closing(program.connect()) as db:
            last = db.execute("SELECT max(id) FROM outbox").fetchone()[0]
            with db:
                db.executemany(
                    "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 'token')",
                    ((f"distant{number}@example.com",) for number in range(messages)),
                )
            program.wait_until_drained()
            span = db.execute(
                "SELECT max(finished_at) - min(started_at) FROM outbox_attempt WHERE message_id > ?", (last,)
            ).fetchone()[0] / 1000
    relay.close()
    return messages / span


# Latency


class TimingSink:
    """Notes when it answers each final dot."""

    def __init__(self):
        self.accepted = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 timing\r\n")
            began = time.time()
            for line in lines:
                verb = line[:4].upper()
                if verb == b"MAIL":
                    began = time.time()
                if verb == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                    for line in lines:
                        if line == b".\r\n":
                            break
                    connection.sendall(b"250 2.0.0 queued\r\n")
                    self.accepted.append((began, time.time()))
                elif verb == b"QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                else:
                    connection.sendall(b"250 ok\r\n")


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def bench_latency(arguments):
    count = 50 if arguments.quick else 300
    relay = TimingSink()
    with outboxd(arguments.programs, relay.port) as program:
        program.start()
        with contextlib.closing(program.connect()) as db:
            db.execute("PRAGMA synchronous = FULL")
            commits = []
            for number in range(count + 5):
                time.sleep(0.2)
                with db:
                    db.execute(
                        "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 'token')",
                        (f"person{number}@example.com",),
                    )
                commits.append(time.time())
        program.wait_until_drained()
        time.sleep(0.2)
    relay.listener.close()
    # The first ones open the connection.
    pairs = list(zip(commits, sorted(relay.accepted, key=lambda pair: pair[1])))[5:]
    whole = [(accepted - commit) * 1000 for commit, (_, accepted) in pairs]
    own = [(accepted - began) * 1000 for _, (began, accepted) in pairs]
    over = [total - conversation for total, conversation in zip(whole, own)]
    return {
        "median_ms": statistics.median(whole), "p99_ms": percentile(whole, 0.99), "max_ms": max(whole),
        "conversation_ms": statistics.median(own), "over_ms": statistics.median(over),
    }


# Idle, growth, enqueue, start


def bench_idle(arguments):
    seconds = 10 if arguments.quick else 60
    with sink() as port, outboxd(arguments.programs, port) as program:
        program.start()
        time.sleep(2)
        before = sum(program.cpu_seconds())
        time.sleep(seconds)
        empty = {"cpu_percent": (sum(program.cpu_seconds()) - before) / seconds * 100, **program.memory()}
    with sink() as port, outboxd(arguments.programs, port) as program:
        # Kept open for as long as the measurement takes.
        path = program.folder / "outboxd.yaml"
        path.write_text(path.read_text().replace("connections: 10", "connections: 10, idle: 300s"))
        program.fill(2000)
        program.start()
        program.wait_until_drained()
        time.sleep(2)
        before = sum(program.cpu_seconds())
        time.sleep(seconds)
        used = {"cpu_percent": (sum(program.cpu_seconds()) - before) / seconds * 100, **program.memory()}
    log(f"idle: {empty}, with open connections: {used}")
    return {"empty": empty, "open connections": used}


def application_commits(program, seconds, each_second=None):
    """Commits to an application's own table in the outbox's file; returns commits and outboxd's seconds of a processor."""
    with contextlib.closing(program.connect()) as db:
        db.execute("CREATE TABLE IF NOT EXISTS visit (at INTEGER)")
        before = sum(program.cpu_seconds()) if program.process else 0
        begin, count = time.monotonic(), 0
        while (now := time.monotonic()) < begin + seconds:
            if each_second and now < begin + count / each_second:
                time.sleep(begin + count / each_second - now)
            with db:
                db.execute("INSERT INTO visit VALUES (1)")
            count += 1
        lasted = time.monotonic() - begin
        return count / lasted, (sum(program.cpu_seconds()) - before) / lasted if program.process else 0


def bench_beside(arguments):
    """An idle outbox in the file of an application that commits all the time; without and with outboxd in turn."""
    seconds, rounds = (3, 3) if arguments.quick else (10, 9)
    results = {}
    with sink() as port, outboxd(arguments.programs, port) as program:
        program.start()
        time.sleep(1)
        results["200 a second"] = {"cpu_percent": application_commits(program, seconds * 3, 200)[1] * 100}
        program.stop()
        rates = {"without": [], "with": []}
        shares = []
        for _ in range(rounds):
            rates["without"].append(application_commits(program, seconds)[0])
            program.start()
            time.sleep(1)
            rate, share = application_commits(program, seconds)
            rates["with"].append(rate)
            shares.append(share * 100)
            program.stop()
        medians = {name: statistics.median(values) for name, values in rates.items()}
        results["as many as possible"] = {
            **medians, "ratio": medians["with"] / medians["without"], "cpu_percent": statistics.median(shares),
        }
    log(f"beside an application: {results}")
    return results


def bench_growth(arguments):
    sizes = (1000, 10_000) if arguments.quick else (1000, 10_000, 100_000, 1_000_000)
    runs = 1 if arguments.quick else 5
    samples = {rows: [] for rows in sizes}
    with contextlib.ExitStack() as stack:
        filled = {}
        for rows in sizes:
            program = stack.enter_context(outboxd(arguments.programs, 9))
            program.fill(rows)
            filled[rows] = program.database
        for run in range(runs):
            for rows in sizes:
                samples[rows].append(grown(arguments, filled[rows], rows))
                log(f"growth, {rows} rows, run {run + 1}: {samples[rows][-1]}")
    return {
        str(rows): {name: statistics.median(sample[name] for sample in measured) for name in measured[0]}
        for rows, measured in samples.items()
    }


def grown(arguments, database, rows):
    """Drains at most 20,000 messages of a copy of the database."""
    with sink() as port, outboxd(arguments.programs, port) as program:
        shutil.copyfile(database, program.database)
        # What the copy still has to write must not slow outboxd's commits.
        os.sync()
        program.start()
        ready = next(
            line for line in (program.folder / "outboxd.log").read_text().splitlines() if "delivery started" in line
        )
        limit = min(rows, 20_000)
        with contextlib.closing(program.connect()) as db:
            while db.execute("SELECT count(*) FROM outbox_attempt").fetchone()[0] < limit:
                time.sleep(0.05)
            memory = program.resident_megabytes()
            began, ended = db.execute(
                "SELECT min(started_at), max(finished_at) FROM (SELECT started_at, finished_at FROM outbox_attempt "
                "WHERE finished_at IS NOT NULL ORDER BY finished_at LIMIT ?)", (limit,)
            ).fetchone()
            done = db.execute("SELECT count(*) FROM outbox_attempt WHERE finished_at <= ?", (ended,)).fetchone()[0]
        program.stop()
        status = []
        for number in range(5):
            begin = time.monotonic()
            program.ctl("status", f"person{rows // 2 + number}@example.com")
            status.append((time.monotonic() - begin) * 1000)
        return {
            "rate": done / ((ended - began) / 1000), "megabytes": memory,
            "start_ms": (parse_time(ready.split()[0]) - program.started_at) * 1000,
            "status_ms": statistics.median(status),
        }


def parse_time(text):
    import datetime

    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def enqueue_rate(program, each, total):
    with contextlib.closing(program.connect()) as db:
        begin = time.monotonic()
        for first in range(0, total, each):
            with db:
                db.executemany(
                    "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 'token')",
                    ((f"person{number}-{time.monotonic_ns()}@example.com",) for number in range(first, first + each)),
                )
        return total / (time.monotonic() - begin)


def bench_enqueue(arguments):
    results = {}
    for each, total in ((1, 500 if arguments.quick else 2000), (1000, 20_000)):
        samples = {"without": [], "with": []}
        for _ in range(3 if arguments.quick else 5):
            for name in samples:
                with sink() as port, outboxd(arguments.programs, port) as program:
                    if name == "with":
                        program.fill(20_000)
                        program.start()
                        time.sleep(0.3)
                    samples[name].append(enqueue_rate(program, each, total))
        medians = {name: statistics.median(values) for name, values in samples.items()}
        results[f"{each} a transaction"] = {**medians, "ratio": medians["with"] / medians["without"]}
        log(f"enqueue, {each} a transaction: {results[f'{each} a transaction']}")
    return results


def machine():
    def first_line(*words):
        return subprocess.run(words, capture_output=True, text=True).stdout.splitlines()[:1]

    model = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{len(model)} × {model[0] if model else platform.machine()}",
        "kernel": platform.release(),
        "libcurl": first_line("curl-config", "--version"),
        "sqlite": sqlite3.sqlite_version,
        "postfix": first_line("postconf", "-h", "mail_version"),
        "swift": first_line("swift", "--version"),
    }


BENCHMARKS = {
    "drain": bench_drain, "cost": bench_cost, "distance": bench_distance, "latency": bench_latency, "idle": bench_idle,
    "beside": bench_beside, "growth": bench_growth, "enqueue": bench_enqueue,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small version that fails below a floor")
    parser.add_argument("--only", help="measure these anew, with commas: " + ", ".join(BENCHMARKS))
    parser.add_argument("--results", type=Path, default=HERE / "results.json", help="the file to write")
    parser.add_argument("programs", type=Path)
    parser.add_argument("bare_loop", type=Path)
    parser.add_argument("pipelined_loop", type=Path)
    arguments = parser.parse_args()
    arguments.programs, arguments.bare_loop = arguments.programs.resolve(), arguments.bare_loop.resolve()
    arguments.pipelined_loop = arguments.pipelined_loop.resolve()
    names = arguments.only.split(",") if arguments.only else list(BENCHMARKS)
    if arguments.quick and not arguments.only:
        names = ["drain", "latency"]
    results = json.loads(arguments.results.read_text()) if arguments.only and arguments.results.exists() else {}
    arguments.octets = mail_octets(arguments.programs)
    results["machine"] = {**machine(), "octets": arguments.octets}
    for name in names:
        results[name] = BENCHMARKS[name](arguments)
        # After each, so that a benchmark that fails takes no other's results along.
        arguments.results.write_text(json.dumps(results, indent=2) + "\n")
    if arguments.quick and "drain" in results:
        drain = results["drain"]["10"]
        ratio = drain["outboxd"]["rate"] / drain["bare loop"]["rate"]
        log(f"outboxd drains at {ratio:.2f} of the bare libcurl loop; the floor is 0.3")
        sys.exit(0 if ratio >= 0.3 else 1)


if __name__ == "__main__":
    main()
