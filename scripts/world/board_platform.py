"""The platform link on the emulated board: registered, cut off, back, with an empty battery, and with a pending
code over a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from link_check import is_offline, is_online, platform
from networks import TAP, ip
from world import Trouble, expect

if TYPE_CHECKING:
    from board_check import BoardCheck

# The board's first wait is drawn from two minutes; a heartbeat that is not answered shows within two minutes.
CUT_S_MAX = 240
# Years after any build of the daemon: its clock cannot be right by chance.
LATER = "+4000d"
STATE = "/data/latchkey"


class BoardPlatform:
    """The steps. The board is active, and somebody is signed in."""

    def __init__(self, check: BoardCheck):
        self.check, self.world, self.device = check, check.world, check.device
        self.board = check.world.recorder.emulator

    def run(self):
        """All of it."""
        self.online()
        self.reboot_with_a_code()
        self.cut_cable()
        self.empty_battery()
        self.device.must("PUT", "/platform", {"enabled": False})

    def online(self):
        """Registered, at an address that serves recorders alone."""
        self.check.step = "platform access on the board"
        self.device.must("PUT", "/platform", {"enabled": True, "server": self.world.devices})
        found = is_online(self.device, "the board is online")
        expect(found["connects_to"], self.world.devices, "the address that is connected to")
        expect(self.world.cloud.metrics()["latchkey_devices_connected"], 1, "devices that the cloud counts")
        self.check.done("the board is online, and the cloud counts it")

    def send(self) -> tuple[str, str]:
        """A code, sent over the link: the QR code's link, and the code."""
        link = self.check.forget()
        self.device.must("POST", "/reset/challenge/send")
        return link, self.check.code_in_mail(self.check.tag)

    def reboot_with_a_code(self):
        """A restart with a code that was sent: dead at the board, known at the cloud."""
        self.check.step = "a restart with a code that was sent over the link"
        old, code = self.send()
        self.world.recorder.reboot()
        self.check.code_is_dead(code, "rebooted")
        self.check.sign_in()
        is_online(self.device, "the board is online after a restart")
        new, code = self.send()
        expect(new == old, False, "the QR code after a restart is the one before it")
        # The cloud has not forgotten the old one: it mails nothing again, and takes nothing older.
        before = self.world.cloud.metrics()["latchkey_submissions_total"]
        known = self.check.cloud.must("POST", "/relay", {"sealed": old.split("#")[1]}).json()
        expect(known["mail"]["state"], "accepted", "the mail of the code before the restart")
        expect(self.world.cloud.metrics()["latchkey_submissions_total"], before, "submissions of the board")
        self.check.set_password(self.check.verify(code))
        self.check.sign_in()
        self.check.done("a restart with a code that was sent: dead at the board; the next one was sent and counts")

    def cut_cable(self):
        """The cable is pulled: noticed by the heartbeat alone, and over when it is plugged in again."""
        self.check.step = "a cut cable"
        before = self.board.mark()
        ip("link", "set", TAP, "down", log=self.check.log)
        try:
            said = self.board.wait_for(r"the platform link ended.*reason=", before, wait_s=CUT_S_MAX)
        finally:
            ip("link", "set", TAP, "up", log=self.check.log)
        if "silent" not in said:
            raise Trouble(f"a cut cable should be noticed as silence: {said}")
        found = platform(self.device)
        expect(found["state"] in ("offline", "connecting", "online"), True, f"the state is told: {found}")
        is_online(self.device, "the board is online with its cable")
        self.check.done("a cut cable was noticed by the heartbeat, with its reason; plugged in again: online")

    def empty_battery(self):
        """1970 at the start, nothing saved, and a cloud whose certificate is younger than the daemon by years."""
        self.check.step = "a board that starts at 1970"
        cloud = self.world.cloud
        cloud.service.stop()
        is_offline(self.device, {"lost", "tcp"}, "the board is offline without a cloud")
        cloud.start("env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1", "faketime", "-f", LATER)
        self.board.must(f"rm -f {STATE}/platform.time")
        self.check.set_clock(1970)
        before = self.board.mark()
        self.world.recorder.crash()
        self.check.sign_in()
        is_online(self.device, "the board that started at 1970 is online")
        self.board.wait_for("going by the time that the cloud signed", before)
        self.check.done("started at 1970, the board asked for the signed time, checked all dates by it, and is online")
