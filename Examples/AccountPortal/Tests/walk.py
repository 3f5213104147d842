"""Walks the help page in a real browser, step by step, in both languages, wide and narrow, while a mail scanner opens and
sends everything before the person comes. Each step fails with a sentence. Pictures of each page go to a folder."""
from __future__ import annotations

import base64
import concurrent.futures
import contextlib
import dataclasses
import pathlib
import sqlite3
import time
import urllib.parse

from scanner import Browser, scan, scan_with_scripts
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from stack import SENDER_ADDRESS, Mail, Stack

WIDTHS = {"wide": 1000, "narrow": 360}
PASSWORD, NEW_PASSWORD = "correct horse battery", "staple correct horse"


@dataclasses.dataclass
class Words:
    """What the pages and mails of a language say."""

    language: str
    verify_subject: str
    reset_subject: str
    changed_subject: str
    junk: str
    sign_in: str
    completes: str
    verified: str
    unverified: str
    resend: str
    send_email: str
    once_more: str
    not_received: str
    create: str
    used: str
    code: str
    invite: str
    invite_subject: str
    look_up: str


ENGLISH = Words(
    "en", "Verify your email address", "Reset your password", "Your password was changed", "Junk folder", "Sign In",
    "complete the verification", "Your email address is verified", "not verified yet", "Resend verification email",
    "Send Email", "one more time", "Didn’t receive a password reset email?", "Create new password and sign in",
    "used already", "code from the email is needed", "Send Invitation", "You are invited", "Look Up")
JAPANESE = Words(
    "ja", "メールアドレスの確認", "パスワードの再設定", "パスワード変更のお知らせ", "迷惑メールフォルダ", "サインイン",
    "サインインすると、メールアドレスの確認が完了します", "確認が完了しました", "まだ確認されていません", "確認メールを再送する",
    "メールを送信する", "もう一度", "パスワード再設定のメールが届かない場合は", "新しいパスワードを作成してサインイン",
    "使用済みです", "コードも入力してください", "招待メールを送信する", "アカウントへの招待", "確認する")


def new_driver(language: str, profile: pathlib.Path):
    """A headless Chromium with a profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--no-first-run", "--disable-background-networking", "--disable-component-update",
                     f"--user-data-dir={profile}", f"--lang={language}", f"--accept-lang={language}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"intl.accept_languages": language, "credentials_enable_service": False})
    # Without the path selenium looks for a driver to download.
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(30)
    return driver


class Walk:
    """One person in one browser."""

    def __init__(self, stack: Stack, words: Words, folder: pathlib.Path, pictures: pathlib.Path, address: str):
        self.stack, self.words, self.pictures, self.address = stack, words, pictures, address
        self.folder = folder
        self.drivers: list[object] = []
        self.driver = self.browser("person")
        self.picture_number = 0

    def browser(self, name: str):
        driver = new_driver(self.words.language, self.folder / f"{self.words.language}-{name}")
        self.drivers.append(driver)
        return driver

    def close(self) -> None:
        for driver in self.drivers:
            driver.quit()

    # What the person does and sees.

    def open(self, path: str, driver=None) -> None:
        (driver or self.driver).get(urllib.parse.urljoin(self.stack.url, path))

    def text(self, driver=None) -> str:
        return self.patiently(lambda: (driver or self.driver).find_element(By.TAG_NAME, "body").text)

    def patiently(self, look):
        """Looks again if the page was replaced meanwhile: some pages reload themselves."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return look()
            except (StaleElementReferenceException, NoSuchElementException):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def until(self, holds, complaint) -> None:
        """Waits for the page that follows a press of a button."""
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline, complaint()
            time.sleep(0.05)

    def sees(self, words: str, driver=None) -> None:
        self.until(lambda: words in self.text(driver), lambda: f"the page lacks '{words}':\n{self.text(driver)}")

    def type(self, driver=None, **fields: str) -> None:
        for name, value in fields.items():
            field = (driver or self.driver).find_element(By.NAME, name)
            field.clear()
            field.send_keys(value)

    def press(self, button: str, driver=None) -> None:
        driver = driver or self.driver

        def click() -> bool:
            for found in driver.find_elements(By.TAG_NAME, "button"):
                if button in found.text:
                    found.click()
                    return True
            return False

        assert self.patiently(click), f"the page has no button '{button}':\n{self.text(driver)}"

    def await_words(self, words: str, seconds: float) -> None:
        """The page refreshes itself, without a script of its own."""
        WebDriverWait(self.driver, seconds, 0.2).until(lambda _: words in self.text(), f"no '{words}' on the page")

    def at(self, path: str, driver=None) -> None:
        def url() -> str:
            return (driver or self.driver).current_url

        self.until(lambda: urllib.parse.urlsplit(url()).path == path, lambda: f"expected {path}: {url()}")
        assert "token" not in url(), f"the address has the token: {url()}"

    def picture(self, name: str) -> None:
        """Takes the page wide and narrow; neither may scroll sideways."""
        self.picture_number += 1
        for kind, width in WIDTHS.items():
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False})
            size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
            assert size["width"] <= width, f"{name} is {size['width']} wide in a window of {width}"
            shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": {
                "x": 0, "y": 0, "width": width, "height": size["height"], "scale": 1}})
            path = self.pictures / f"{self.words.language}-{self.picture_number:02}-{name}-{kind}.png"
            path.write_bytes(base64.b64decode(shot["data"]))

    def follow(self, mail: Mail) -> None:
        """Presses the mail's link in a new tab."""
        old = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        new = self.driver.current_window_handle
        self.driver.switch_to.window(old)
        self.driver.close()
        self.driver.switch_to.window(new)
        self.use(self.kind)
        # From a page of another site, as a mail program on the web is one: SameSite=Strict would lose the cookies.
        self.driver.get("data:text/html," + urllib.parse.quote(f'<a href="{mail.link}">open</a>'))
        self.driver.find_element(By.TAG_NAME, "a").click()

    def use(self, kind: str) -> None:
        self.kind = kind
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": WIDTHS[kind], "height": 800, "deviceScaleFactor": 1, "mobile": False})

    # What the test looks up.

    def user(self) -> dict[str, object]:
        with contextlib.closing(sqlite3.connect(self.stack.folder / "portal.db", timeout=10)) as database:
            database.row_factory = sqlite3.Row
            row = dict(database.execute("SELECT * FROM portal_user WHERE address = ?", (self.address,)).fetchone())
            row["sessions"] = database.execute("SELECT count(*) FROM portal_session WHERE user_id = ?", (row["id"],)
                                               ).fetchone()[0]
            row["redeemed"] = database.execute("SELECT count(*) FROM outbox_status WHERE account = ? AND redeemed_at > 0",
                                               (str(row["id"]),)).fetchone()[0]
        return row

    def mail(self, subject: str, after: int = 0) -> Mail:
        return self.stack.await_mail(self.address, subject, after=after)

    def scan(self, mail: Mail) -> None:
        """The scanner comes first, and gets nothing."""
        before = self.user()
        scan(mail.link, self.address)
        scan_with_scripts(self.scanner, mail.link, self.address)
        assert self.user() == before, f"the scanner changed the account: {before} became {self.user()}"

    # The steps.

    def run(self, kind: str) -> None:
        words = self.words
        self.scanner = self.browser("scanner")
        self.use(kind)
        first = self.sign_up()
        self.sign_in_unverified(first)
        newest = self.mail(words.verify_subject, after=first.number)
        self.scan(newest)
        self.verify(newest)
        self.forget_and_reset()
        self.reset_elsewhere()
        self.administrate(newest)

    def sign_up(self) -> Mail:
        words = self.words
        self.open("/sign-up")
        self.picture("sign-up")
        self.type(address=self.address, password=PASSWORD)
        self.press("")
        self.at("/sign-up/mail")
        for part in (words.verify_subject, SENDER_ADDRESS, self.address, words.junk):
            self.sees(part)
        assert self.driver.find_elements(By.CSS_SELECTOR, ".clock"), "the page has no clock"
        self.picture("look-for-mail")
        mail = self.mail(words.verify_subject)
        self.scan(mail)
        return mail

    def sign_in_unverified(self, mail: Mail) -> None:
        words = self.words
        self.open("/sign-in")
        self.sign_in(PASSWORD)
        self.at("/")
        self.sees(words.unverified)
        self.picture("unverified")
        # Its interval between two mails is a second here.
        self.press(words.resend)
        self.at("/sign-up/mail")

    def sign_in(self, password: str, driver=None) -> None:
        self.type(driver, address=self.address, password=password)
        for button in (driver or self.driver).find_elements(By.CSS_SELECTOR, "main button"):
            button.click()
            return

    def verify(self, mail: Mail) -> None:
        words = self.words
        old = self.driver.get_cookie("session")
        self.follow(mail)
        self.at("/sign-in")
        self.sees(words.completes)
        self.picture("verify-by-signing-in")
        history = self.driver.execute_cdp_cmd("Page.getNavigationHistory", {})["entries"]
        urls = [entry["url"] for entry in history if entry["url"].startswith(self.stack.url)]
        assert urls and not [url for url in urls if "token" in url], f"the history has the token: {urls}"
        assert self.user()["verified_at"] is None, "opening the link verified the account"
        self.sign_in(PASSWORD)
        self.sees(words.verified)
        self.picture("verified")
        assert self.user()["verified_at"] is not None
        session = self.driver.get_cookie("session")
        assert session["value"] != old["value"] and session["httpOnly"] and session["sameSite"] == "Lax", session
        thief = Browser(self.stack.url)
        thief.cookies["session"] = old["value"]
        assert thief.open(self.stack.url + "/")[1].endswith("/sign-in"), "the session from before the sign-in still works"
        self.follow(mail)
        self.sign_in(PASSWORD)
        self.sees(words.verified)

    def ask_for_reset(self, address: str) -> str:
        self.open("/forgot-password")
        self.type(address=address)
        self.press(self.words.send_email)
        self.at("/forgot-password/mail")
        return self.text().replace(address, "ADDRESS")

    def forget_and_reset(self) -> None:
        words = self.words
        other = self.browser("other")
        self.open("/sign-in", other)
        self.sign_in(PASSWORD, other)
        self.at("/", other)
        self.press(" ".join(["Sign", "Out"]) if words.language == "en" else "サインアウト")
        self.open("/forgot-password")
        self.picture("forgot-password")
        unknown = self.ask_for_reset(f"nobody-{self.address}")
        known = self.ask_for_reset(self.address)
        # The clock may stand at another second.
        def without_digits(text: str) -> str:
            return "".join(character for character in text if not character.isdigit())
        assert without_digits(unknown) == without_digits(known), f"the pages differ:\n{unknown}\n{known}"
        self.picture("reset-look-for-mail")
        first = self.mail(words.reset_subject)
        self.await_words(words.once_more, 40)
        self.picture("reset-one-more-time")
        self.press(words.once_more)
        newest = self.mail(words.reset_subject, after=first.number)
        self.scan(newest)
        self.await_words(words.not_received, 40)
        self.picture("reset-not-received")
        self.follow(newest)
        self.at("/reset-password/new")
        assert not self.driver.find_elements(By.NAME, "code"), "the browser that asked is asked for the code"
        self.picture("new-password")
        assert self.user()["redeemed"] == 1, "the token ended when the form was shown"
        self.type(password=NEW_PASSWORD)
        self.press(words.create)
        self.at("/")
        self.sees(self.address)
        self.picture("signed-in")
        self.open("/", other)
        self.at("/sign-in", other)
        self.sign_in(PASSWORD, other)
        self.at("/sign-in", other)
        self.mail(words.changed_subject)
        self.follow(newest)
        self.sees(words.used)
        self.picture("link-used")

    def reset_elsewhere(self) -> None:
        """Another browser, as on a phone or of the next administrator, has the mail: the code gets it in."""
        words = self.words
        newest = self.stack.mails(self.address)[0].number
        self.ask_for_reset(self.address)
        mail = self.mail(words.reset_subject, after=newest)
        phone = self.browser("phone")
        phone.get(mail.link)
        self.sees(words.code, phone)
        self.type(phone, code="12345678" if mail.code != "12345678" else "87654321", password=PASSWORD)
        self.press(words.create, phone)
        self.at("/reset-password/new", phone)
        assert self.user()["redeemed"] == 2, "a wrong code got in"
        if words.language == "ja":
            # As people copy it: full-width digits and a space.
            full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in mail.code)
            self.open("/reset-password/code", phone)
            self.type(phone, address=self.address, code=f"{full_width[:4]} {full_width[4:]}", password=PASSWORD)
        else:
            self.type(phone, code=mail.code, password=PASSWORD)
        self.press(words.create, phone)
        self.at("/", phone)
        self.sees(self.address, phone)


    def administrate(self, mail: Mail) -> None:
        """The users' page, and what the relay said for a mail administrator."""
        words = self.words
        with contextlib.closing(sqlite3.connect(self.stack.folder / "portal.db", timeout=10)) as database, database:
            # Only one of the two walks was verified first.
            database.execute("UPDATE portal_user SET has_full_access = 1 WHERE address = ?", (self.address,))
        self.open("/sign-in")
        self.sign_in(PASSWORD)
        self.at("/")
        self.open("/users")
        invited = f"new-{self.address}"
        self.type(address=invited)
        self.press(words.invite)
        self.sees(invited)
        self.picture("users")
        self.stack.await_mail(invited, words.invite_subject)
        self.open("/mail-administrator")
        self.type(address=self.address, id=str(mail.message["Message-ID"]))
        self.press(words.look_up)
        self.sees("accepted")
        self.picture("mail-administrator")


def walk(stack: Stack, folder: pathlib.Path, pictures: pathlib.Path) -> None:
    """English in a wide window, Japanese in a narrow one, at the same time; pictures of both in both."""
    pictures.mkdir(parents=True, exist_ok=True)
    for picture in pictures.glob("*.png"):
        picture.unlink()

    def one(words: Words, kind: str, address: str) -> None:
        begin = time.monotonic()
        person = Walk(stack, words, folder, pictures, address)
        try:
            person.run(kind)
        except BaseException:
            (pictures / f"{words.language}-failed.png").write_bytes(person.driver.get_screenshot_as_png())
            raise
        finally:
            person.close()
        print(f"walked in {words.language}, {kind}: {time.monotonic() - begin:.0f} s", flush=True)

    with concurrent.futures.ThreadPoolExecutor() as threads:
        walks = [threads.submit(one, ENGLISH, "wide", "ann@example.com"),
                 threads.submit(one, JAPANESE, "narrow", "yuki@example.jp")]
        for done in concurrent.futures.as_completed(walks):
            if done.exception():
                print(stack.read_logs(), flush=True)
            done.result()
