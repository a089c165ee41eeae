"""The app: a password is reset by scanning the recorder's QR code with the phone's camera."""

import film
from browser import PHONE, Browser
from cases import EMAIL, MAIN, NEXT_PASSWORD, InAWorld
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ALLOWED = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
LIVE = "return [...document.querySelectorAll('video')].some(v => v.srcObject && v.srcObject.active)"
# The tag is reckoned when the test says so.
SLOW_DIGEST = """
    const digest = SubtleCrypto.prototype.digest, wait = new Promise((go) => { window.go = go; });
    SubtleCrypto.prototype.digest = async function (...data) { await wait; return digest.apply(this, data); };
"""


class TheApp(InAWorld):
    """A recorder at its QR code, and a phone in front of it."""

    def setUp(self):
        super().setUp()
        self.desktop = self.browser()
        self.activate(self.desktop, EMAIL)
        self.sign_out(self.desktop)
        self.ask_for_qr(self.desktop)
        self.link = self.desktop.read_qr()
        self.code = self.desktop.find(".qr img").screenshot_as_png

    def phone_with_camera(self, code: bytes, **options) -> Browser:
        """A phone whose camera sees this picture on a screen."""
        file = self.world.folder / "film.mjpeg"
        film.film(code, file)
        return self.browser(size=PHONE, flags=(*ALLOWED, f"--use-file-for-fake-video-capture={file}"), **options)

    def open_reset(self, phone: Browser):
        """As a person gets there."""
        phone.open(self.world.cloud.address)
        phone.follow(".parts a[href='/more']")
        phone.follow("main a[href='/reset']")

    def finish(self, phone: Browser):
        """From the page that compares the tag to the new password."""
        phone.until(lambda: phone.tag(), "the tag is shown")
        tag = phone.tag()
        self.assertEqual(len(tag), 4, tag)
        self.assertIn(tag, self.desktop.text())
        phone.follow(MAIN)
        self.assertTrue(phone.path.startswith("/r/status/"), phone.path)
        code = self.mailed_code()
        phone.until(lambda: phone.has("main .notice.success"), "the page tells that the mail was accepted")
        self.type_code(self.desktop, code)
        self.at(self.desktop, "/forgot/password")
        self.desktop.type("#password", NEXT_PASSWORD)
        self.desktop.type("#repeat", NEXT_PASSWORD)
        self.desktop.follow(f"{MAIN}:not([type=button])")
        self.desktop.must_say("The password is reset successfully.")

    def test_a_reset_by_the_phone_s_camera(self):
        phone = self.phone_with_camera(self.code, pictures_as="app-")
        phone.open(self.world.cloud.address)
        phone.look("start")
        phone.follow(".parts a[href='/more']")
        phone.look("more")
        phone.follow("main a[href='/reset']")
        phone.look("reset")
        phone.click("#open")
        phone.until(lambda: phone.path == "/r", "the code is read", 60)
        phone.until(lambda: phone.tag(), "the tag is shown")
        phone.look("compare")
        self.finish(phone)
        phone.look("status")

    def test_the_camera_sees_another_code_and_is_let_go(self):
        import subprocess

        other = subprocess.run(["qrencode", "-s", "12", "-o", "-", "WIFI:S:guest;;"], capture_output=True, check=True)
        phone = self.phone_with_camera(other.stdout, pictures_as="app-other-")
        self.open_reset(phone)
        phone.click("#open")
        phone.until(lambda: phone.has("[data-state=other]"), "the page says that it is another code", 60)
        self.assertTrue(phone.driver.execute_script(LIVE))
        # What a camera shows has no captions.
        phone.look("other", without=("video-caption",))
        phone.click("#close")
        self.assertFalse(phone.driver.execute_script(LIVE))
        self.assertTrue(phone.has("#open"))

    def test_no_camera_is_said_and_a_photo_does_it(self):
        phone = self.browser(size=PHONE, pictures_as="app-photo-")
        self.open_reset(phone)
        phone.click("#open")
        phone.until(lambda: phone.has(".notice.danger"), "the page says why there is no camera")
        phone.look("no-camera")
        photo = self.world.folder / "photo.jpg"
        film.photo(self.code, photo)
        phone.driver.find_element(By.ID, "picture").send_keys(str(photo))
        phone.until(lambda: phone.path == "/r", "the photo is read", 60)
        self.finish(phone)

    def test_the_button_stays_under_the_thumb_and_the_link_can_be_pasted_by_keyboard(self):
        phone = self.browser(size=PHONE)
        slow = phone.command("Page.addScriptToEvaluateOnNewDocument", source=SLOW_DIGEST)
        phone.open(self.link)
        at = phone.find(MAIN).rect
        phone.driver.execute_script("window.go()")
        phone.until(lambda: phone.tag(), "the tag is shown")
        self.assertEqual(phone.find(MAIN).rect, at)
        phone.command("Page.removeScriptToEvaluateOnNewDocument", **slow)
        phone.open(f"{self.world.cloud.address}reset")
        phone.tab_to("#by-link summary")
        phone.keys(Keys.ENTER)
        phone.tab_to("#sealed")
        phone.keys(self.link)
        phone.leave_by(lambda: phone.keys(Keys.ENTER))
        self.finish(phone)

    def test_without_scripts_a_photo_is_read_by_the_service(self):
        phone = self.browser(size=PHONE, scripts=False, pictures_as="app-plain-")
        self.open_reset(phone)
        phone.look("reset")
        photo = self.world.folder / "photo.jpg"
        film.photo(self.code, photo)
        phone.click("#by-photo summary")
        phone.driver.find_element(By.ID, "picture").send_keys(str(photo))
        phone.follow("#photo button")
        phone.look("found")
        self.finish(phone)
