"""My recorders: a recorder is added by its QR code, seen, reset, renamed, handed over and removed."""

import re
import secrets

import film
from browser import PHONE, Browser
from cases import EMAIL, MAIN, NEXT_PASSWORD, InAWorld
from selenium.webdriver.common.by import By
from test_accounts import NUMBERS
from test_app import ALLOWED

SECRET = "Blue-Ladder-41"
NORA, OTTO = ("nora7", "nora@example.net"), ("otto8", "otto@example.net")
DO = "main form.stack button:not([type=button])"
ONLINE_S_MAX = 60
DRAWN = "const i = document.querySelector('.qr img'); return i.complete && i.naturalWidth > 0"


class Recorders(InAWorld):
    """A recorder that is connected to its service, and phones."""

    def setUp(self):
        super().setUp()
        self.desktop = self.browser()
        self.activate(self.desktop, EMAIL)
        self.desktop.open(f"{self.world.recorder.address}configuration/platform")
        self.desktop.tick("enabled")
        self.desktop.follow("form:has(#enabled) button[value=save]")
        self.desktop.click("section[aria-labelledby=add] summary")
        self.desktop.until(lambda: self.desktop.driver.execute_script(DRAWN), "the QR code is drawn")
        self.link = self.desktop.read_qr()
        self.assertIn("/add#LK-DEMO-0001/", self.link)
        self.picture = self.desktop.find(".qr").screenshot_as_png

    def code(self, to: str, digits: str = r"\d{4,8}") -> str:
        """The code in the next mail."""
        mail = self.world.mail.next_mail()
        self.assertEqual(mail["to"], [to])
        codes = re.findall(rf"^\s*({digits})\s*$", mail["text"], re.MULTILINE)
        self.assertEqual(len(codes), 1, mail["text"])
        return codes[0]

    def sign_up(self, phone: Browser, who: tuple[str, str]):
        """From the page to sign up to the list."""
        name, address = who
        # A question in words, in the place of the picture.
        phone.follow("main a[href$='riddle=words']")
        question = phone.find("label[for=answer]").text
        numbers = [NUMBERS.index(word) for word in re.findall(r"[a-z]+", question.lower()) if word in NUMBERS]
        phone.type("#email", address)
        phone.type("#answer", str(sum(numbers)))
        phone.follow(DO)
        phone.type("#code", self.code(address))
        phone.type("#name", name)
        phone.type("#password", SECRET)
        phone.type("#again", SECRET)
        phone.follow(DO)

    def wait_online(self, phone: Browser, online: bool):
        """Looks again until the list says so."""

        def look() -> bool:
            phone.open(f"{self.world.cloud.address}recorders")
            return phone.has(f".state.{'online' if online else 'offline'}")

        phone.until(look, "the list tells whether the recorder is online", ONLINE_S_MAX)

    def test_from_the_qr_code_to_another_account(self):
        phone = self.browser(size=PHONE, pictures_as="recorders-")
        # The recorder's code, scanned with the phone's own camera, by somebody without an account.
        phone.open(self.link)
        phone.must_say("Sign in", "kept in this window")
        self.assertNotIn("#", phone.driver.current_url, "the code is out of the address bar")
        phone.look("add-signed-out")
        phone.follow("main a[href='/account/sign-up']")
        self.sign_up(phone, NORA)
        phone.until(lambda: phone.path == "/add" and phone.has("#scanned"), "the form comes by itself")
        serial, code = self.link.split("#")[1].split("/")
        self.assertEqual(phone.find("#serial").get_attribute("value"), serial)
        self.assertEqual(phone.find("#device_code").get_attribute("value"), code)
        phone.look("add-scanned")
        phone.open(f"{self.world.cloud.address}recorders")
        phone.must_say("No recorder yet")
        self.assertEqual(phone.path, "/recorders", "what was filled in once is not kept")
        phone.look("none")

        phone.follow("main a[href='/add']")
        phone.look("add")
        self.wait_until_known(phone, serial, code)
        phone.must_say("is on your account")
        phone.look("added")
        self.wait_online(phone, True)
        phone.look("online")

        # Its password, with the app.
        self.sign_out(self.desktop)
        self.ask_for_qr(self.desktop)
        self.relay(phone, self.desktop.read_qr())
        self.type_code(self.desktop, self.reset_code())
        self.desktop.type("#password", NEXT_PASSWORD)
        self.desktop.type("#repeat", NEXT_PASSWORD)
        self.desktop.follow(f"{MAIN}:not([type=button])")
        self.desktop.must_say("The password is reset successfully.")

        self.world.recorder.service.stop()
        self.wait_online(phone, False)
        phone.look("offline")
        phone.follow("main ul.links a[href^='/recorders/']")
        phone.look("one")
        phone.click("#rename summary")
        phone.type("#label", "Shop, ground floor")
        phone.look("rename")
        phone.follow("#rename button")
        phone.must_say("The name is changed", "Shop, ground floor")

        self.hand_over(phone, code)

    def wait_until_known(self, phone: Browser, serial: str, code: str):
        """Adds it by hand. The first try may come before the recorder has connected: that is told."""

        def add() -> bool:
            phone.type("#serial", serial.lower())
            phone.type("#device_code", code.lower())
            phone.follow(DO)
            return phone.path != "/add"

        phone.until(add, "the recorder is added", ONLINE_S_MAX)

    def reset_code(self) -> str:
        """The code to the reserved email. The recorder is online, so that notices of the reset come, too."""
        while not (codes := re.findall(r"^\s*(\d{8})\s*$", self.world.mail.next_mail()["text"], re.MULTILINE)):
            pass
        return codes[0]

    def hand_over(self, phone: Browser, code: str):
        """To a second account, which removes it at last."""
        name, address = OTTO
        phone.click("#transfer summary")
        phone.type("#email", address)
        phone.type("#device_code", code)
        phone.look("transfer")
        phone.follow("#transfer button")
        phone.look("transfer-code")
        phone.type("#code", self.next_code(NORA[1]))
        phone.follow(DO)
        phone.must_say("Offered", "o***o@")
        phone.look("offered")

        other = self.browser(size=PHONE, pictures_as="recorders-other-")
        mail = self.next_to(address)
        self.assertIn("/recorders", mail["text"])
        other.open(f"{self.world.cloud.address}account/sign-up")
        self.sign_up(other, OTTO)
        other.must_say("offered to you", NORA[0])
        other.look("offer")
        other.follow("button[value=accept]")
        other.must_say("The recorder is yours now")
        other.look("accepted")
        self.assertIn("accepted", self.next_to(NORA[1])["text"])
        phone.open(f"{self.world.cloud.address}recorders")
        phone.must_say("No recorder yet")

        other.follow("main a[href$='/remove']")
        other.look("remove")
        other.follow(MAIN)
        other.must_say("removed from your account", "No recorder yet")

    def next_to(self, address: str) -> dict:
        """The next mail to an address; others of the recorder's may come between."""
        while (mail := self.world.mail.next_mail())["to"] != [address]:
            self.assertEqual(mail["to"], [EMAIL])
        return mail

    def next_code(self, address: str) -> str:
        """The code in it."""
        codes = re.findall(r"^\s*(\d{8})\s*$", self.next_to(address)["text"], re.MULTILINE)
        self.assertEqual(len(codes), 1)
        return codes[0]

    def test_by_the_camera_of_the_app_and_without_scripts(self):
        file = self.world.folder / "film.mjpeg"
        film.film(self.picture, file)
        flags = (*ALLOWED, f"--use-file-for-fake-video-capture={file}")
        phone = self.browser(size=PHONE, flags=flags, pictures_as="recorders-camera-")
        phone.open(f"{self.world.cloud.address}account/sign-up")
        self.sign_up(phone, NORA)
        phone.follow("main a[href='/add']")
        phone.follow("main a[href='/add/scan']")
        phone.look("scan")
        phone.click("#open")
        phone.until(lambda: phone.path == "/add" and phone.has("#scanned"), "the code is read", 60)
        # A pasted link does the same, and another one is told.
        phone.open(f"{self.world.cloud.address}add/scan")
        phone.click("#by-link summary")
        phone.type("#sealed", "WIFI:S:guest;;")
        phone.click("#paste-link button")
        phone.must_say("It is not one that adds a recorder")
        phone.type("#sealed", self.link)
        phone.click("#paste-link button")
        phone.until(lambda: phone.path == "/add" and phone.has("#scanned"), "the form is filled in")
        # And the camera on the page of a reset: it leads to the same form.
        phone.open(f"{self.world.cloud.address}reset")
        phone.click("#open")
        phone.until(lambda: phone.path == "/add" and phone.has("#scanned"), "the code is read", 60)
        phone.type("#label", f"Camera {secrets.token_hex(2)}")
        phone.until(lambda: self.sent(phone), "the recorder is added", ONLINE_S_MAX)
        phone.must_say("Camera ")

        # Another account, typed, without scripts: what stands in its way is said.
        plain = self.browser(size=PHONE, scripts=False, pictures_as="recorders-plain-")
        plain.open(self.link)
        plain.must_say("Sign in")
        plain.open(f"{self.world.cloud.address}account/sign-up")
        self.sign_up(plain, OTTO)
        plain.must_say("No recorder yet")
        plain.follow("main a[href='/add']")
        serial, code = self.link.split("#")[1].split("/")
        for typed, words in ((code[:-1] + "0", "No recorder was added"), (code, "on another account")):
            plain.type("#serial", serial)
            plain.type("#device_code", typed)
            plain.follow(DO)
            plain.must_say(words)
            plain.look("refused")
        # And by a photo, which the service reads.
        plain.open(f"{self.world.cloud.address}add/scan")
        plain.look("scan")
        photo = self.world.folder / "photo.jpg"
        film.photo(self.picture, photo)
        plain.click("#by-photo summary")
        plain.driver.find_element(By.ID, "picture").send_keys(str(photo))
        plain.follow("#photo button")
        plain.must_say("The QR code was read.")
        self.assertEqual(plain.find("#device_code").get_attribute("value"), code)
        plain.look("read")
        plain.follow(DO)
        plain.must_say("on another account")

    def sent(self, phone: Browser) -> bool:
        """Sends the filled form again; whether the recorder was added."""
        phone.follow(DO)
        return phone.path != "/add"
