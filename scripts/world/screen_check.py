"""The whole way of a reset by the local screen alone: mouse, keyboard, what is seen. Only the phone and the
mailbox are outside."""

from collections.abc import Callable
from pathlib import Path

from check import FIRST_EMAIL, SECOND_EMAIL, Check, decode, new_password
from client import Api
from screen import Screen
from world import Trouble, expect, run

# As a person would choose it: on the label of a recorder.
DEVICE_CODE = "KEY72LOCK"
# The second address as the screen shows it to everybody.
MASKED_SECOND = "n***r@e***e.org"
UNCONFIRMED = "The reserved email is not confirmed"


class ScreenCheck(Check):
    """The steps. `start` gives the screen anew, as after a kill. A recorder that reaches its cloud sends the
    code by itself; with another one a phone does."""

    reaches_cloud = False

    def __init__(self, world, screen, crash_daemon: Callable[[], None], restart_panel: Callable[[], Screen], pictures: Path):
        super().__init__(world)
        self.screen, self.crash_daemon, self.restart_panel = screen, crash_daemon, restart_panel
        self.pictures = pictures
        self.link = ""
        pictures.mkdir(parents=True, exist_ok=True)

    def run(self):
        """All of it."""
        self.cloud = Api(self.world.cloud.port)
        self.activate()
        self.configure()
        code = self.ask()
        self.type_code(code)
        self.sign_in_with_new()
        self.confirm()
        self.second_email()
        self.ask_second()

    def keep(self, name: str):
        """A picture of what is seen."""
        self.screen.picture(self.pictures / f"{name}.png")

    def activate(self):
        """The first password and the reserved email; the address by the keyboard on the screen."""
        self.step = "activation on the screen"
        screen = self.screen
        screen.wait("activate")
        self.keep("activate")
        screen.type(self.password)
        screen.key("tab")
        screen.key("tab")
        screen.type(self.password)
        screen.click("Reserved email")
        screen.wait_for("the keyboard on the screen", lambda told: any(one["role"] == "key" for one in told["controls"]))
        for char in FIRST_EMAIL:
            screen.click(char)
        self.keep("activate-keyboard")
        screen.key("enter")
        screen.wait("live")
        self.keep("live")
        self.done("activated with mouse, keyboard and the keyboard on the screen")

    def configure(self):
        """The way to the reserved email, and out."""
        self.step = "configuration on the screen"
        screen = self.screen
        for press, shown in (("Menu", ""), ("Configuration", "configuration"), ("User", "users"), ("admin: Edit", "admin")):
            screen.click(press)
            if shown:
                screen.wait(shown)
            self.keep(shown or "menu")
        screen.type(self.password)
        screen.click("Reserved email")
        screen.wait("reserved-email")
        self.keep("reserved-email")
        for press, shown in (("Back", "admin"), ("Back", "users"), ("Back", "configuration")):
            screen.click(press)
            screen.wait(shown)
        screen.click("This recorder")
        screen.wait("device")
        self.keep("device")
        screen.click("Back")
        screen.wait("configuration")
        self.display()
        self.platform()
        screen.click("Back to the live view")
        screen.wait("live")
        screen.click("Menu")
        screen.click("Sign out")
        screen.wait("sign-in")
        self.keep("sign-in")
        self.done("found the reserved email behind its password, and signed out")

    def display(self):
        """Size of text and contrast, and back to what they were."""
        screen = self.screen
        screen.click("Display")
        screen.wait("display")
        self.keep("display")
        for choice, name in (("Large text", "large-text"), ("High contrast", "high-contrast")):
            screen.click(choice)
            self.keep(name)
        screen.click("Large text")
        screen.click("High contrast")
        screen.click("Back")
        screen.wait("configuration")

    def platform(self):
        """Platform access: on, its state with its reason, the QR code that adds the recorder to an account."""
        screen = self.screen
        screen.click("Platform access")
        screen.wait("platform")
        expect(screen.told()["platform"], "off", "platform access of a factory-new recorder")
        screen.click("Enable platform access")
        screen.click("Device verification code")
        screen.type(DEVICE_CODE)
        screen.click("Save")
        state = "online" if self.reaches_cloud else "offline"
        screen.wait_for(f"the platform {state}", lambda told: told["platform"] == state and not told["busy"])
        self.keep(f"platform-{state}")
        if not self.reaches_cloud:
            screen.click("Try now")
            screen.wait_for("another try", lambda told: told["platform"] == "offline" and not told["busy"])
        screen.click("Show the QR code")
        screen.wait("platform-qr")
        self.keep("platform-qr")
        found = decode(self.pictures / "platform-qr.png")
        expect(found.startswith(f"https://{self.world.cloud.host}/add#"), True, "where the QR code for adding leads")
        expect(found.endswith(f"/{DEVICE_CODE}"), True, "the QR code for adding holds the device verification code")
        screen.click("Back")
        screen.wait("platform")
        screen.click("Back")
        screen.wait("configuration")
        self.done(f"platform access switched on: {state}; its QR code was read by zbar")

    def send_now(self) -> str:
        """The recorder asks for the mail by itself."""
        self.screen.click("Send the code now")
        self.screen.wait_for("the mail's state", lambda told: told["mail"] in ("queued", "accepted"))
        code = self.code_in_mail("")
        self.screen.wait_for("a mail that was taken", lambda told: told["mail"] == "accepted")
        self.keep("qr-sent")
        self.done("the recorder sent the code by itself, and told how far its mail is")
        return code

    def confirm(self):
        """The reserved email is warned of, and confirmed with a phone."""
        self.step = "confirming the reserved email on the screen"
        screen = self.screen
        # The live view first tells of the reset; the configuration warns at once.
        screen.click("Menu")
        screen.click("Configuration")
        screen.wait("configuration")
        if screen.control(UNCONFIRMED) is None:
            raise Trouble("the configuration does not warn of the address")
        self.keep("configuration-unconfirmed")
        screen.key("escape")
        screen.wait("live")
        self.keep("live-unconfirmed")
        screen.click("Confirm it with a code")
        screen.wait("confirm-email")
        self.keep("confirm-email")
        code = self.confirm_by_phone("confirm-qr")
        screen.type(f"{(int(code) + 1) % 10**8:08}")
        screen.key("enter")
        screen.wait_for("a refusal", lambda told: told["notice"] and not told["busy"])
        self.keep("confirm-wrong")
        screen.type(code)
        screen.key("enter")
        screen.wait("live")
        self.keep("confirm-done")
        self.done("the reserved email was confirmed on the screen; zbar read its QR code, a wrong code was refused")

    def confirm_by_phone(self, picture: str) -> str:
        """The code that confirms an address, after a phone saw the QR code. Ends where it is typed."""
        self.screen.click("Show the QR code")
        self.screen.wait("qr")
        code = self.code_for(self.see_code(picture))
        self.screen.click("Type the code")
        self.screen.wait("code")
        return code

    def confirm_by_link(self) -> str:
        """The same, after the recorder asked for the mail by itself."""
        # Its daemon was killed: the recorder may have to connect again first.
        self.screen.wait_for("a way to send", lambda told: any(one["name"] == "Send the code now" for one in told["controls"]))
        self.keep("confirm-second")
        self.screen.click("Send the code now")
        self.screen.wait("code")
        code = self.code_in_mail("")
        self.screen.wait_for("a mail that was taken", lambda told: told["mail"] == "accepted")
        self.keep("confirm-sent")
        return code

    def second_email(self):
        """A second address, confirmed by a mail of its own."""
        self.step = "a second reserved email on the screen"
        screen = self.screen
        screen.click("Menu")
        screen.click("Configuration")
        screen.wait("configuration")
        if screen.control(UNCONFIRMED):
            raise Trouble("a confirmed address is warned of")
        for press, shown in (("User", "users"), ("admin: Edit", "admin")):
            screen.click(press)
            screen.wait(shown)
        screen.type(self.password)
        screen.click("Reserved email")
        screen.wait("reserved-email")
        screen.click("Add a second reserved email")
        screen.wait("edit-email")
        screen.type(SECOND_EMAIL)
        self.keep("edit-second")
        screen.key("enter")
        screen.wait("reserved-email")
        self.keep("reserved-emails")
        screen.click("Confirm the second one")
        screen.wait("confirm-email")
        self.email = SECOND_EMAIL
        code = self.confirm_by_link() if self.reaches_cloud else self.confirm_by_phone("confirm-second-qr")
        screen.type(code)
        screen.key("enter")
        screen.wait("reserved-email")
        self.keep("reserved-emails-confirmed")
        if screen.control("Confirm the second one"):
            raise Trouble("the second address is still to be confirmed")
        asked = "the recorder" if self.reaches_cloud else "a phone"
        self.done(f"a second reserved email was set, and confirmed by a mail that {asked} asked for")

    def ask_second(self):
        """Forgot Password with two addresses: the code goes to the one that was chosen."""
        self.step = "Forgot Password with two addresses"
        screen = self.screen
        for shown in ("admin", "users", "configuration", "live"):
            screen.key("escape")
            screen.wait(shown)
        screen.click("Menu")
        screen.click("Sign out")
        screen.wait("sign-in")
        screen.click("Forgot Password")
        screen.click("Verify by Reserved Email")
        screen.wait("choose-email")
        self.keep("choose-email")
        screen.click(MASKED_SECOND)
        screen.wait("disclaimer")
        screen.click("OK")
        screen.wait("qr")
        link = self.see_code("qr-second")
        self.code_for(link)
        self.done("of two addresses the one that was chosen got the code")
        self.step = "the QR code with large text"
        screen.click("Display")
        screen.wait("display")
        screen.click("Large text")
        screen.click("Back")
        screen.wait("qr")
        expect(self.see_code("qr-large-text"), link, "the QR code with large text")
        self.done("the QR code is whole with large text, too")

    def see_code(self, name: str) -> str:
        """What a phone reads on the screen."""
        file = self.pictures / f"{name}.png"
        self.screen.wait_for("Type the code", lambda told: told["screen"] == "qr" and not told["busy"])
        self.screen.picture(file)
        return decode(file)

    def ask(self) -> str:
        """Forgot Password as far as the mailed code; the panel is killed on the way."""
        self.step = "Forgot Password on the screen"
        screen = self.screen
        screen.click("Forgot Password")
        screen.wait("ways")
        self.keep("ways")
        screen.click("Verify by Reserved Email")
        screen.wait("disclaimer")
        self.keep("disclaimer")
        screen.click("OK")
        screen.wait("qr")
        link = self.link = self.see_code("qr")
        expect(link.startswith(f"https://{self.world.cloud.host}/r#"), True, "the QR code on the screen leads to the cloud")
        self.done("the QR code on the screen was read by zbar")
        screen = self.screen = self.restart_panel()
        screen.wait("sign-in")
        screen.click("Forgot Password")
        screen.click("Verify by Reserved Email")
        screen.wait("qr")
        expect(self.see_code("qr-again"), link, "the QR code after kill -9 of the panel")
        screen.click("Enlarge")
        screen.wait("qr-large")
        self.keep("qr-large")
        expect(decode(self.pictures / "qr-large.png"), link, "the enlarged QR code")
        screen.click("Back")
        screen.wait("qr")
        self.done("kill -9 of the panel: the same QR code came back")
        return self.send_now() if self.reaches_cloud else self.code_for(link)

    def type_code(self, code: str):
        """The mailed code, after a wrong one; the daemon is killed on the way."""
        self.step = "the code on the screen"
        screen = self.screen
        screen.click("Type the code")
        screen.wait("code")
        screen.type(f"{(int(code) + 1) % 10**8:08}")
        screen.key("enter")
        screen.wait_for("a refusal", lambda told: told["notice"] and not told["busy"])
        self.keep("code-wrong")
        self.done("a wrong code was refused on the screen")
        self.crash_daemon()
        screen.wait_link("up")
        expect(screen.told()["screen"], "code", "the screen after kill -9 of the daemon")
        screen.type(code)
        screen.key("enter")
        screen.wait("new-password")
        self.done("kill -9 of the daemon: the screen stayed, and the code still counted")

    def sign_in_with_new(self):
        """The new password, and what it opens."""
        self.step = "the new password on the screen"
        screen = self.screen
        self.old_password, self.password = self.password, new_password()
        screen.type(self.password)
        screen.key("tab")
        screen.key("tab")
        screen.type(self.password)
        self.keep("new-password")
        screen.key("enter")
        screen.wait("complete")
        self.keep("complete")
        screen.key("enter")
        screen.wait("sign-in")
        screen.type(self.old_password)
        screen.key("enter")
        screen.wait_for("a refusal", lambda told: told["notice"] and not told["busy"])
        self.keep("sign-in-wrong")
        screen.type(self.password)
        screen.key("enter")
        screen.wait("live")
        if screen.control("Menu") is None:
            raise Trouble("the live view has no menu")
        self.done("signed in with the new password; the old one was refused")


class BoardScreenCheck(ScreenCheck):
    """The same on the emulated board, which has more to plug in and to switch off."""

    def run(self):
        """All of it."""
        self.cloud = Api(self.world.cloud.port)
        self.activate()
        self.configure()
        self.hot_plug()
        code = self.ask()
        self.export()
        self.warning()
        self.type_code(code)
        self.sign_in_with_new()
        self.confirm()
        self.second_email()
        self.ask_second()

    @property
    def emulator(self):
        """The board."""
        return self.screen.emulator

    def plug(self, driver: str, said: str, **options):
        """Plugs something into USB, and waits until the console tells of it."""
        before = self.emulator.mark()
        self.screen.control_line.do("device_add", driver=driver, id=driver, **options)
        self.emulator.wait_for(said, before)

    def unplug(self, driver: str, said: str):
        """Pulls it out again."""
        before = self.emulator.mark()
        self.screen.control_line.do("device_del", id=driver)
        self.emulator.wait_for(said, before)

    def hot_plug(self):
        """A mouse and a keyboard that come and go."""
        self.step = "hot-plug"
        self.plug("usb-mouse", "plugged in.*USB Mouse")
        before = self.emulator.mark()
        moved = [{"type": "rel", "data": {"axis": axis, "value": -20}} for axis in ("x", "y")]
        self.screen.control_line.do("input-send-event", events=moved)
        self.emulator.wait_for("panel: pointer shown", before)
        self.unplug("usb-mouse", "unplugged")
        # The emulator types on the keyboard that came last.
        self.plug("usb-kbd", "plugged in.*USB Keyboard")
        self.screen.type("no password")
        self.screen.key("enter")
        self.screen.wait_for("a refusal", lambda told: told["notice"] and not told["busy"])
        self.unplug("usb-kbd", "unplugged")
        self.screen.click("Forgot Password")
        self.screen.wait("ways")
        self.screen.key("escape")
        self.screen.wait("sign-in")
        self.done("a mouse and a keyboard were plugged in, used and pulled out")

    def export(self):
        """The QR code on a stick; before that, without one."""
        self.step = "export to USB"
        screen = self.screen
        screen.click("Export to USB")
        screen.wait_for("that there is no stick", lambda told: told["notice"] and not told["busy"])
        stick = self.world.folder / "stick.img"
        with stick.open("wb") as made:
            made.truncate(16 << 20)
        run("mkfs.vfat", "-I", stick, log=self.world.folder / "stick.log")
        screen.control_line.do("blockdev-add", **{"node-name": "stick", "driver": "raw", "file": {"driver": "file", "filename": str(stick)}})
        self.screen.control_line.do("device_add", driver="usb-storage", id="stick", drive="stick")
        self.emulator.must("mkdir -p /media/usb; until mount -t vfat -o sync /dev/sda /media/usb 2>/dev/null; do usleep 50000; done")
        screen.click("Export to USB")
        self.emulator.must("until ls /media/usb/*.png; do usleep 50000; done")
        screen.wait_for("that it is saved", lambda told: told["notice"] and not told["busy"])
        self.keep("qr-exported")
        self.emulator.must("umount /media/usb")
        screen.control_line.do("device_del", id="stick")
        found = run("mdir", "-b", "-i", stick, "::", log=self.world.folder / "stick.log").split()
        expect(len(found), 1, f"files on the stick: {found}")
        picture = self.world.folder / "stick.png"
        run("mcopy", "-n", "-i", stick, found[0], picture, log=self.world.folder / "stick.log")
        expect(decode(picture), self.link, "the QR code on the stick")
        self.done("the QR code was exported to a USB stick, and read from it")

    def warning(self):
        """Who restarts the recorder with a code under way is told what that does."""
        self.step = "warning before a restart"
        screen = self.screen
        screen.click("Back to sign-in")
        screen.wait("sign-in")
        screen.type(self.password)
        screen.key("enter")
        screen.wait("live")
        screen.click("Menu")
        screen.click("Restart")
        screen.wait_for("the question", lambda told: any(one["name"] == "Cancel" for one in told["controls"]))
        self.keep("restart-pending")
        screen.click("Cancel")
        screen.click("Menu")
        screen.click("Sign out")
        screen.wait("sign-in")
        screen.click("Forgot Password")
        screen.click("Verify by Reserved Email")
        screen.wait("qr")
        self.done("a restart with a code under way is warned of")
