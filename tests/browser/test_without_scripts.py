"""The whole way with JavaScript switched off, on a phone."""

from browser import PHONE
from cases import EMAIL, MAIN, NEXT_PASSWORD, PASSWORD, InAWorld


class WithoutScripts(InAWorld):
    """Everything is done by plain forms."""

    def test_from_the_box_to_a_new_password(self):
        phone = self.browser(size=PHONE, scripts=False, pictures_as="plain-")
        phone.open(self.world.recorder.address)
        self.assertFalse(phone.has("[data-show]"), "a button that needs JavaScript is not shown without it")
        phone.look("activate")
        self.activate(phone, EMAIL)
        self.sign_out(phone)
        self.ask_for_qr(phone)
        phone.look("forgot-code")
        link = phone.read_qr()

        # Without JavaScript the fragment cannot be read: the page says so, and takes the link by hand.
        phone.open(link)
        phone.look("relay")
        phone.type("#sealed", link)
        phone.follow(MAIN)
        self.assertTrue(phone.path.startswith("/r/status/"), phone.path)
        code = self.mailed_code()
        # Until the mail has left, the page asks for itself again every few seconds.
        phone.until(lambda: phone.has("main .notice.success"), "the page tells that the mail was accepted")
        phone.look("status")

        phone.open(f"{self.world.recorder.address}forgot/code")
        self.type_code(phone, code)
        self.at(phone, "/forgot/password")
        phone.type("#password", NEXT_PASSWORD)
        phone.type("#repeat", NEXT_PASSWORD)
        phone.follow(f"{MAIN}:not([type=button])")
        phone.must_say("The password is reset successfully.")
        self.sign_in(phone, PASSWORD)
        phone.must_say("not right")
        self.sign_in(phone, NEXT_PASSWORD)
        self.at(phone, "/overview")
