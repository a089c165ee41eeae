"""The whole way by mouse, every page checked in every look."""

from base64 import b64encode

from browser import PHONE
from cases import EMAIL, MAIN, NEXT_PASSWORD, PASSWORD, InAWorld
from check import decode


class ByMouse(InAWorld):
    """A person at a desktop, with a phone in the other hand."""

    def test_from_the_box_to_a_new_password(self):
        desktop = self.browser(pictures_as="mouse-")
        phone = self.browser(size=PHONE, pictures_as="phone-")
        self.set_up(desktop)
        self.use(desktop)
        self.forget(desktop)
        code = self.by_phone(desktop, phone)
        self.reset(desktop, code)

    def set_up(self, desktop):
        """The pages of an inactive recorder."""
        desktop.open(f"http://127.0.0.1:{self.world.recorder.http_port}/")
        desktop.must_say(*[part for part in self.world.recorder.fingerprint().split(":")[:4]])
        desktop.look("before-the-warning")
        desktop.open(self.world.recorder.address)
        self.at(desktop, "/activate")
        desktop.look("activate")
        desktop.open(f"{self.world.recorder.address}overview")
        self.at(desktop, "/activate")
        desktop.type("#password", "short1!")
        desktop.type("#repeat", "short1!")
        desktop.tick("reserve")
        desktop.type("#email", "not an address")
        desktop.follow(f"{MAIN}:not([type=button])")
        desktop.must_say("exactly one @")
        desktop.look("activate-refused")
        desktop.type("#email", EMAIL)
        desktop.type("#password", "short1!")
        desktop.type("#repeat", "short1!")
        desktop.follow(f"{MAIN}:not([type=button])")
        desktop.must_say("too short")
        self.assertEqual(desktop.find("#password").get_attribute("value"), "", "a password is never sent back")
        self.activate(desktop)
        desktop.must_say("o***")
        self.assertNotIn(EMAIL, desktop.text())
        desktop.look("overview")

    def use(self, desktop):
        """The pages of whoever is signed in."""
        base = self.world.recorder.address
        desktop.open(f"{base}configuration/users")
        desktop.look("users")
        desktop.follow("main ul.links a[href$='/configuration/users/admin']")
        desktop.look("admin")
        desktop.follow("main a[href$='/security']")
        desktop.look("security")
        desktop.type("#current", "not the password 1")
        desktop.follow("form:has(#email) button[value=save]")
        desktop.look("security-refused")
        desktop.type("#email", EMAIL)
        desktop.type("#current", PASSWORD)
        desktop.follow("form:has(#email) button[value=save]")
        desktop.look("security-saved")
        desktop.open(f"{base}configuration/users/admin/password")
        desktop.look("change-password")
        desktop.open(f"{base}no/such/page")
        desktop.look("not-found")
        desktop.open(f"{base}help")
        desktop.look("help")
        self.sign_out(desktop)
        desktop.look("signed-out")

    def forget(self, desktop):
        """Up to the QR code."""
        desktop.open(self.world.recorder.address)
        desktop.type("#password", "wrong password 1")
        desktop.click("[data-show=password]")
        self.assertEqual(desktop.find("#password").get_attribute("type"), "text")
        desktop.follow(f"{MAIN}:not([type=button])")
        desktop.look("sign-in-refused")
        desktop.follow("main form a[href$='/forgot']")
        desktop.look("forgot")
        desktop.follow(MAIN)
        desktop.must_say("Please accept the Privacy Policy")
        desktop.look("forgot-refused")
        desktop.tick("accept")
        desktop.follow(MAIN)
        self.at(desktop, "/forgot/code")
        desktop.look("forgot-code")

    def by_phone(self, desktop, phone) -> str:
        """The QR code is read off the screen, and the code is sent by a tap."""
        link = desktop.read_qr()
        self.assertTrue(link.startswith(f"https://{self.world.cloud.host}/r#"), link)
        tag = desktop.find("dd.tag").text
        desktop.click("a[href$='/forgot/qr.png']")
        picture = desktop.downloads / f"recovery-qr-{tag}.png"
        desktop.until(picture.exists, "the exported picture came")
        self.assertEqual(decode(picture), link, "the exported picture holds the same code")

        phone.open(link)
        phone.until(lambda: tag in phone.text(), "the phone shows the tag")
        phone.must_say(self.world.cloud.host)
        self.assertNotIn("sealed=", phone.driver.current_url)
        phone.look("relay")
        phone.follow(MAIN)
        self.assertTrue(phone.path.startswith("/r/status/"), phone.path)
        code = self.mailed_code()
        # The page looks by itself whether the mail has left.
        phone.until(lambda: phone.has("main .notice.success"), "the page tells that the mail was accepted")
        phone.must_say(tag, "o***")
        phone.look("status")
        phone.open(self.world.mail.address)
        phone.look("mails")
        phone.follow("main li a")
        phone.look("mail")
        # The mailbox keeps a mail's HTML from running scripts, axe's too: it is looked at by itself.
        phone.open(f"data:text/html;charset=utf-8;base64,{b64encode(self.mail['html'].encode()).decode()}")
        phone.must_say(code[:4], code[4:], tag)
        # Landmarks are the mail program's, within whose page a mail is shown.
        phone.look("mail-as-html", without=("landmark-one-main", "region"))
        return code

    def reset(self, desktop, code: str):
        """From the code to the new password."""
        self.type_code(desktop, f"{(int(code) + 1) % 10**8:08}")
        desktop.must_say("4 tries are left")
        desktop.look("wrong-code")
        self.type_code(desktop, f"{code[:4]} {code[4:]}")
        self.at(desktop, "/forgot/password")
        desktop.look("new-password")
        desktop.type("#password", NEXT_PASSWORD)
        desktop.type("#repeat", "something else 1")
        desktop.follow(f"{MAIN}:not([type=button])")
        desktop.must_say("not the same")
        desktop.look("new-password-refused")
        desktop.type("#password", NEXT_PASSWORD)
        desktop.must_say("strong")
        desktop.type("#repeat", NEXT_PASSWORD)
        desktop.follow(f"{MAIN}:not([type=button])")
        self.at(desktop, "/forgot/complete")
        desktop.must_say("The password is reset successfully.")
        desktop.look("complete")
        self.sign_in(desktop, PASSWORD)
        desktop.must_say("not right")
        self.sign_in(desktop, NEXT_PASSWORD)
        self.at(desktop, "/overview")
        desktop.must_say("The password was reset")
        desktop.look("told-of-the-reset")
