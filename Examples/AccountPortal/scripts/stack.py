"""Starts the portal with outboxd and fake-smtp on free loopback ports, in a folder of its own, and reads the mails.

Used by scripts/portal, for people, and by the tests. Ends everything that it started, and nothing else.
"""
from __future__ import annotations

import email
import email.message
import email.policy
import pathlib
import re
import shutil
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "Examples/AccountPortal"
SENDER_NAME = "Example One"
SENDER_ADDRESS = "no-reply@example.com"


class Mail:
    """One mail that fake-smtp accepted."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.number = int(path.name[:6])
        self.message: email.message.EmailMessage = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)

    def part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        return body.get_content() if body else ""

    @property
    def to(self) -> str:
        return str(self.message["To"])

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def link(self) -> str:
        return re.search(r"http://\S+", self.part("plain"))[0]

    @property
    def code(self) -> str:
        return re.search(r"\b\d{8}\b", self.part("plain").replace(self.link, ""))[0]


class Stack:
    """The running programs. Use it with `with`."""

    def __init__(self, programs: pathlib.Path, portal: pathlib.Path, folder: pathlib.Path, *,
                 patience: int = 300, portal_options: tuple[str, ...] = ()):
        self.programs, self.portal, self.folder = programs, portal, folder
        self.patience, self.portal_options = patience, portal_options
        self.processes: list[subprocess.Popen[bytes]] = []
        self.logs: list[object] = []
        self.url = ""

    def __enter__(self) -> "Stack":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ctl(self, *words: str) -> str:
        done = subprocess.run([self.programs / "outboxctl", *words, "--config", "outboxd.yaml"], cwd=self.folder,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise SystemExit(f"outboxctl {words[0]} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def mails(self, to: str | None = None) -> list[Mail]:
        """The mails so far, newest first."""
        mails = [Mail(path) for path in sorted((self.folder / "received").glob("*.eml"), reverse=True)]
        return [mail for mail in mails if to is None or mail.to == to]

    def await_mail(self, to: str, subject: str, *, after: int = 0, seconds: float = 30) -> Mail:
        """The newest mail with this subject to this address whose number is higher than `after`."""
        deadline = time.monotonic() + seconds
        while True:
            for mail in self.mails(to):
                if mail.subject == subject and mail.number > after:
                    return mail
            if time.monotonic() > deadline:
                raise AssertionError(f"no mail '{subject}' to {to} within {seconds:.0f} s; {self.read_logs()}")
            time.sleep(0.05)

    def read_logs(self) -> str:
        return "".join(f"\n== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in self.folder.glob("*.log"))

    def stop(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.processes.clear()

    def _start(self) -> None:
        # The shipped mails, and the kinds that only the portal has.
        shutil.copytree(ROOT / "config/templates", self.folder / "templates")
        shutil.copytree(PACKAGE / "templates", self.folder / "templates", dirs_exist_ok=True)
        self._spawn("fake-smtp", [self.programs / "fake-smtp", "--port", "0", "--port-file", "relay-port",
                                  "--store", "received"])
        relay = self._await_file("relay-port")
        subprocess.run([self.programs / "outboxctl", "new-key", "token-key", "--check-key", "check-key"],
                       cwd=self.folder, check=True, capture_output=True, timeout=60)
        # The portal's port goes into the links, and the portal needs the outbox first.
        self._configure(relay, "1")
        self.ctl("migrate")
        self._spawn("portal", [self.portal, "--database", "portal.db", "--check-key", "check-key", "--port", "0",
                               "--port-file", "portal-port", "--sender-name", SENDER_NAME,
                               "--sender-address", SENDER_ADDRESS, "--patience", str(self.patience),
                               *self.portal_options])
        port = self._await_file("portal-port")
        self._configure(relay, port)
        self._spawn("outboxd", [self.programs / "outboxd", "--config", "outboxd.yaml"])
        self.url = f"http://localhost:{port}"

    def _configure(self, relay: str, port: str) -> None:
        (self.folder / "outboxd.yaml").write_text(f"""\
database: portal.db
sender: {{name: {SENDER_NAME}, address: {SENDER_ADDRESS}}}
relays: [{{url: "smtp://127.0.0.1:{relay}", tls: none}}]
templates: templates
tokens: {{key: {{file: token-key}}, codes: [verify-email, reset-password]}}
guidance: {{patience: {self.patience}s}}
limits: {{minimum_interval: {min(60, max(0, self.patience // 6))}s}}
links:
  verify-email: "http://localhost:{port}/verify-email?token={{token}}"
  reset-password: "http://localhost:{port}/reset-password?token={{token}}"
""")

    def _spawn(self, name: str, command: list[object]) -> None:
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes.append(subprocess.Popen([str(word) for word in command], cwd=self.folder, stdout=log,
                                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL))

    def _await_file(self, name: str) -> str:
        deadline = time.monotonic() + 30
        path = self.folder / name
        while not path.exists() or not path.read_text().strip():
            if time.monotonic() > deadline or self.processes[-1].poll() is not None:
                raise SystemExit(f"waited in vain for {name}; {self.read_logs()}")
            time.sleep(0.02)
        return path.read_text().strip()
