"""A reserved email is confirmed, and a second one is used: by keyboard alone, and without JavaScript."""

from browser import PHONE
from cases import EMAIL, NEXT_PASSWORD, PASSWORD, InAWorld
from selenium.webdriver.common.keys import Keys

SECOND_EMAIL = "second@example.org"
SECURITY = "/configuration/users/admin/security"


class Addresses(InAWorld):
    """Both addresses, from the first warning to a reset by the second one."""

    def test_by_keyboard_with_a_look_at_every_page(self):
        desktop = self.browser(pictures_as="addresses-")
        phone = self.browser(size=PHONE, pictures_as="addresses-phone-")
        self.activate(desktop)
        desktop.must_say("The reserved email is not confirmed")
        self.press(desktop, "main .notice a[href$='/security/confirm']")
        self.at(desktop, f"{SECURITY}/confirm")
        desktop.look("confirm")
        self.press(desktop, "main form button")
        desktop.look("confirm-code")
        phone.open(desktop.read_qr())
        phone.must_say("only confirms a reserved email")
        phone.look("relay-confirm")
        self.press(phone, "main form button")
        code = self.mailed_code()

        self.fill(desktop, "#code", f"{(int(code) + 1) % 10**8:08}")
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        self.assertEqual(desktop.driver.switch_to.active_element.get_attribute("id"), "errors")
        self.fill(desktop, "#code", code)
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        self.at(desktop, SECURITY)
        desktop.must_say("The reserved email is confirmed")

        self.fill(desktop, "#second", SECOND_EMAIL)
        self.fill(desktop, "#second-current", PASSWORD)
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        desktop.must_say("is saved", "not confirmed")
        desktop.look("security-both")
        self.sign_out(desktop)
        desktop.open(f"{self.world.recorder.address}forgot")
        desktop.look("forgot-both")

    def test_without_javascript_the_second_mailbox_gets_the_code(self):
        desktop = self.browser(scripts=False)
        self.activate(desktop)
        desktop.open(f"{self.world.recorder.address}{SECURITY[1:]}")
        desktop.type("#second", SECOND_EMAIL)
        desktop.type("#second-current", PASSWORD)
        desktop.follow("form:has(#second) button[value=save]")
        self.sign_out(desktop)
        desktop.open(f"{self.world.recorder.address}forgot")
        desktop.tick("accept")
        desktop.click("label[for=to-second]")
        desktop.follow("main form button")
        self.at(desktop, "/forgot/code")
        desktop.must_say("s***d@e***e.org")
        self.assertNotIn("o***r@", desktop.text())
        link = desktop.find("ol.steps a[href*='/r#']").get_attribute("href")
        phone = self.browser(size=PHONE)
        self.relay(phone, link)
        mail = self.world.mail.next_mail()
        self.assertEqual(mail["to"], [SECOND_EMAIL], "the code goes to the mailbox that was chosen, and no other")
        code = next(line for line in mail["text"].split() if len(line) == 8 and line.isdigit())
        self.type_code(desktop, code)
        self.at(desktop, "/forgot/password")
        desktop.type("#password", NEXT_PASSWORD)
        desktop.type("#repeat", NEXT_PASSWORD)
        desktop.follow("main form button:not([type=button])")
        desktop.must_say("The password is reset successfully.")
        self.assertNotIn(EMAIL, desktop.text())

    def fill(self, browser, css: str, text: str):
        """Goes to a field by Tab and types."""
        browser.tab_to(css)
        browser.keys(text)

    def press(self, browser, css: str):
        """Goes to a link or button by Tab and presses Enter."""
        browser.tab_to(css)
        browser.leave_by(lambda: browser.keys(Keys.ENTER))
