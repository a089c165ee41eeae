"""What the browser tests have in common: a world each, and the steps that several of them take."""

import re
import tempfile
import unittest
from pathlib import Path

from browser import Browser
from world import World

PROGRAMS = Path()
TARGET = Path()

PASSWORD = "Blue-Ladder-41"
NEXT_PASSWORD = "Green-Harbour-52"
EMAIL = "owner@example.org"

MAIN = "main form button"


class InAWorld(unittest.TestCase):
    """A test with a world of its own, the recorder being factory-new."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="latchkey-test-", ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.world = World(Path(folder.name), PROGRAMS)
        self.addCleanup(self.world.stop)
        self.world.start()

    def browser(self, **options) -> Browser:
        """A window that closes with the test; on failure, a picture of what it shows is kept."""
        browser = Browser(TARGET, **options)
        self.addCleanup(browser.__exit__)
        self.addCleanup(self.keep_if_failed, browser)
        return browser

    def keep_if_failed(self, browser: Browser):
        """For whoever looks for the reason."""
        result = self._outcome.result
        if any(test is self for test, _ in [*result.failures, *result.errors]):
            file = browser.picture(f"FAILED-{self._testMethodName}")
            print(f"\n{self.id()}: failed at {browser.driver.current_url}, see {file}", flush=True)
            print(f"the page says:\n{browser.text()}\nits console:", *browser.driver.get_log("browser"), sep="\n  ")
            for name in ("recorder", "cloud"):
                log = (self.world.folder / f"{name}.log").read_text(errors="replace").splitlines()
                print(f"the {name}'s log ends:", *log[-12:], sep="\n  ", flush=True)

    def at(self, browser: Browser, path: str):
        """The browser shows this page of the recorder."""
        self.assertEqual(browser.path, path, browser.text())

    def activate(self, browser: Browser, email: str | None = EMAIL):
        """Sets the recorder up; the browser is signed in then."""
        browser.open(self.world.recorder.address)
        browser.type("#password", PASSWORD)
        browser.type("#repeat", PASSWORD)
        browser.tick("reserve", email is not None)
        if email:
            browser.type("#email", email)
        browser.follow(f"{MAIN}:not([type=button])")
        self.at(browser, "/overview")

    def sign_in(self, browser: Browser, password: str):
        """Signs in from the sign-in page."""
        browser.open(self.world.recorder.address)
        browser.type("#password", password)
        browser.follow(f"{MAIN}:not([type=button])")

    def sign_out(self, browser: Browser):
        """Signs out."""
        browser.follow("header form button")

    def ask_for_qr(self, browser: Browser):
        """From the sign-in page to the QR code."""
        browser.open(self.world.recorder.address)
        browser.follow("main form a[href$='/forgot']")
        self.at(browser, "/forgot")
        browser.tick("accept")
        browser.follow(MAIN)
        self.at(browser, "/forgot/code")

    def relay(self, browser: Browser, link: str):
        """Opens the link of a QR code as a phone does, and taps."""
        browser.open(link)
        browser.follow(MAIN)

    def mailed_code(self) -> str:
        """The code in the next mail."""
        self.mail = mail = self.world.mail.next_mail()
        self.assertEqual(mail["to"], [EMAIL])
        codes = re.findall(r"^\s*(\d{8})\s*$", mail["text"], re.MULTILINE)
        self.assertEqual(len(codes), 1, mail["text"])
        return codes[0]

    def type_code(self, browser: Browser, code: str):
        """Types a code at the QR code's page."""
        browser.type("#code", code)
        browser.follow("form[action$='/forgot/code'] button")
