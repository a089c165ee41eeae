"""Every reason why a code or a wish is refused, as the person is told it."""

from browser import PHONE
from cases import EMAIL, MAIN, NEXT_PASSWORD, PASSWORD, InAWorld


class Refusals(InAWorld):
    """What is said, and that nothing changed."""

    def setUp(self):
        super().setUp()
        self.desktop = self.browser(pictures_as=f"{self._testMethodName.removeprefix('test_')}-")

    def pending(self) -> str:
        """A recorder with a code under way; gives the code."""
        self.activate(self.desktop)
        self.sign_out(self.desktop)
        self.ask_for_qr(self.desktop)
        phone = self.browser(size=PHONE)
        self.relay(phone, self.desktop.read_qr())
        return self.mailed_code()

    def test_a_reboot(self):
        code = self.pending()
        self.world.recorder.reboot()
        # Forms do not outlive a start of the daemon: the page is asked for again.
        self.type_code(self.desktop, code)
        self.desktop.look("stale-form")
        self.desktop.open(f"{self.world.recorder.address}forgot/code")
        self.desktop.must_say("no longer works", "restarted")
        self.desktop.look("refused")
        self.sign_in(self.desktop, PASSWORD)
        self.at(self.desktop, "/overview")

    def test_a_changed_email(self):
        code = self.pending()
        other = self.browser()
        self.sign_in(other, PASSWORD)
        other.open(f"{self.world.recorder.address}configuration/users/admin/security")
        other.type("#email", "someone.else@example.org")
        other.type("#current", PASSWORD)
        other.follow("form:has(#email) button[value=save]")
        self.type_code(self.desktop, code)
        self.desktop.must_say("no longer works", "The reserved email was changed")
        self.desktop.look("refused")

    def test_a_changed_password(self):
        code = self.pending()
        other = self.browser()
        self.sign_in(other, PASSWORD)
        other.open(f"{self.world.recorder.address}configuration/users/admin/password")
        other.type("#current", PASSWORD)
        other.type("#password", NEXT_PASSWORD)
        other.type("#repeat", NEXT_PASSWORD)
        other.follow(f"{MAIN}:not([type=button])")
        other.look("changed")
        self.type_code(self.desktop, code)
        self.desktop.must_say("no longer works", "The password was changed")
        self.desktop.look("refused")

    def test_too_many_tries(self):
        code = self.pending()
        for step in range(1, 6):
            self.type_code(self.desktop, f"{(int(code) + step) % 10**8:08}")
        self.desktop.must_say("That was the last try")
        self.desktop.look("refused")
        self.desktop.open(f"{self.world.recorder.address}forgot/code")
        self.desktop.must_say("All its tries were used")

    def test_a_new_qr_code(self):
        code = self.pending()
        first = self.desktop.read_qr()
        self.assertFalse(self.desktop.find("#renew").is_enabled(), "a new one may be had every 30 seconds at most")
        self.desktop.must_say("possible in")
        self.desktop.until(lambda: self.desktop.find("#renew").is_enabled(), "the page itself offers it in time", 45)
        self.desktop.follow("#renew")
        self.desktop.must_say("This is a new QR code")
        self.desktop.look("renewed")
        self.assertNotEqual(self.desktop.read_qr(), first)
        self.type_code(self.desktop, code)
        self.desktop.must_say("This is not the code")

    def test_no_reserved_email(self):
        self.activate(self.desktop, email=None)
        self.desktop.must_say("There is no reserved email")
        self.desktop.look("overview")
        self.sign_out(self.desktop)
        self.desktop.open(f"{self.world.recorder.address}forgot")
        self.desktop.must_say("There is no reserved email", "factory reset")
        self.desktop.look("refused")

    def test_a_crash_changes_nothing(self):
        code = self.pending()
        self.world.recorder.crash()
        self.desktop.driver.refresh()
        self.at(self.desktop, "/forgot/code")
        self.type_code(self.desktop, code)
        self.at(self.desktop, "/forgot/password")

    def test_a_mail_that_bounces(self):
        self.activate(self.desktop, email=f"bounce.{EMAIL}")
        self.sign_out(self.desktop)
        self.ask_for_qr(self.desktop)
        phone = self.browser(size=PHONE, pictures_as="bounce-")
        self.relay(phone, self.desktop.read_qr())
        phone.until(lambda: phone.has("main .notice.danger"), "the page tells that the mailbox refused the mail")
        phone.look("status")

    def test_a_link_that_was_damaged(self):
        phone = self.browser(size=PHONE, pictures_as="damaged-")
        phone.open(f"{self.world.cloud.address}r#1234567890")
        phone.until(lambda: phone.has("#damaged"), "the page tells that the link is damaged")
        phone.look("relay")
        phone.type("#sealed", "what is this")
        phone.follow(MAIN)
        phone.look("refused")
        phone.open(self.world.cloud.address)
        phone.look("landing")
        phone.open(f"{self.world.cloud.address}no/such/page")
        phone.look("not-found")
