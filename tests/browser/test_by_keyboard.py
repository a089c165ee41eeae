"""The whole way by keyboard alone."""

from browser import PHONE
from cases import EMAIL, NEXT_PASSWORD, PASSWORD, InAWorld
from selenium.webdriver.common.keys import Keys


class ByKeyboard(InAWorld):
    """A person without a mouse. Tab, Space, Enter and typing; the focus is seen at every stop."""

    def test_from_the_box_to_a_new_password(self):
        desktop, phone = self.browser(), self.browser(size=PHONE)
        desktop.open(self.world.recorder.address)
        self.fill(desktop, "#password", PASSWORD)
        self.fill(desktop, "#repeat", PASSWORD)
        desktop.tab_to("#reserve")
        desktop.keys(Keys.SPACE)
        self.assertFalse(desktop.has("#email"), "without the box there is no address to type")
        desktop.keys(Keys.SPACE)
        self.fill(desktop, "#email", EMAIL)
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        self.at(desktop, "/overview")
        self.press(desktop, "header form button")

        desktop.open(self.world.recorder.address)
        self.press(desktop, "main form a[href$='/forgot']")
        desktop.tab_to("#accept")
        desktop.keys(Keys.SPACE)
        self.press(desktop, "main form button")
        self.at(desktop, "/forgot/code")

        phone.open(desktop.read_qr())
        self.press(phone, "main form button")
        code = self.mailed_code()

        self.fill(desktop, "#code", f"{(int(code) + 1) % 10**8:08}")
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        # What went wrong is where the focus is, so that a screen reader reads it first.
        self.assertEqual(desktop.driver.switch_to.active_element.get_attribute("id"), "errors")
        self.fill(desktop, "#code", code)
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        self.at(desktop, "/forgot/password")
        self.fill(desktop, "#password", NEXT_PASSWORD)
        self.fill(desktop, "#repeat", NEXT_PASSWORD)
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        desktop.must_say("The password is reset successfully.")
        self.press(desktop, "main a.button")
        self.fill(desktop, "#password", NEXT_PASSWORD)
        desktop.leave_by(lambda: desktop.keys(Keys.ENTER))
        self.at(desktop, "/overview")

    def test_the_first_tab_leads_past_the_head_of_the_page(self):
        desktop = self.browser()
        self.activate(desktop)
        desktop.open(f"{self.world.recorder.address}configuration/users")
        desktop.keys(Keys.TAB)
        desktop.assert_focus_is_seen()
        desktop.keys(Keys.ENTER)
        desktop.until(lambda: desktop.driver.current_url.endswith("#content"), "the link leads to the content")

    def fill(self, browser, css: str, text: str):
        """Goes to a field by Tab and types."""
        browser.tab_to(css)
        browser.keys(text)

    def press(self, browser, css: str):
        """Goes to a link or button by Tab and presses Enter."""
        browser.tab_to(css)
        browser.leave_by(lambda: browser.keys(Keys.ENTER))
