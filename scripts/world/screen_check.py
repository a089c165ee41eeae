"""The whole way of a reset by the local screen alone: mouse, keyboard, what is seen. Only the phone and the
mailbox are outside."""

from collections.abc import Callable
from pathlib import Path

from check import FIRST_EMAIL, Check, decode, expect, new_password
from client import Api
from screen import Screen
from world import Trouble


class ScreenCheck(Check):
    """The steps. `start` gives the screen anew, as after a kill."""

    def __init__(self, world, screen, crash_daemon: Callable[[], None], restart_panel: Callable[[], Screen], pictures: Path):
        super().__init__(world)
        self.screen, self.crash_daemon, self.restart_panel = screen, crash_daemon, restart_panel
        self.pictures = pictures
        pictures.mkdir(parents=True, exist_ok=True)

    def run(self):
        """All of it."""
        self.cloud = Api(self.world.cloud.port)
        self.activate()
        self.configure()
        code = self.ask()
        self.type_code(code)
        self.sign_in_with_new()

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
        screen.click("Back to the live view")
        screen.wait("live")
        screen.click("Menu")
        screen.click("Sign out")
        screen.wait("sign-in")
        self.keep("sign-in")
        self.done("found the reserved email behind its password, and signed out")

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
        link = self.see_code("qr")
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
        return self.code_for(link)

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
