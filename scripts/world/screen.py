"""The recorder's local screen as a person uses it: by what can be read and pressed on it. One kind has no
display and is led by its script; the other one is the emulated board's, with QEMU's mouse and keyboard."""

import functools
import json
import re
import subprocess
import threading
import time
from pathlib import Path

from emulator import Emulator
from qmp import Qmp
from world import Trouble

WAIT_S_MAX = 120
# QEMU's names of the keys of a US keyboard, by what they type.
PLAIN = dict(zip("`-=[]\\;',./ ", ("grave_accent minus equal bracket_left bracket_right backslash semicolon apostrophe "
                                   "comma dot slash spc").split(), strict=True))
SHIFTED = dict(zip('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./", strict=True))
KEYS = {"enter": "ret", "escape": "esc", "tab": "tab"}


class Screen:
    """What is shown, and how it is used."""

    def told(self) -> dict:
        """What is shown now: screen, busy, link, controls."""
        raise NotImplementedError

    def wait(self, screen: str):
        """Until this screen is shown, and nothing is under way."""
        self.wait_for(f"the screen {screen}", lambda told: told["screen"] == screen and not told["busy"])

    def wait_link(self, link: str):
        """Until the daemon answers, or does not."""
        self.wait_for(f"the link {link}", lambda told: told["link"] == link)

    def wait_for(self, what: str, holds):
        """Until something holds of what is shown."""
        raise NotImplementedError

    def control(self, name: str) -> dict | None:
        """A control that can be used."""
        return next((one for one in self.told()["controls"] if one["name"] == name and one["enabled"]), None)


class ScriptedScreen(Screen):
    """Without a display. `--socket` names the daemon's."""

    def __init__(self, program: list[str | Path], arguments: list[str], size: str, log: Path):
        with log.open("a") as complaints:
            self.process = subprocess.Popen(
                [*program, "script", *arguments, "--size", size],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True,
            )

    def do(self, command: str) -> str:
        """One command."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        verdict, _, answer = self.process.stdout.readline().rstrip("\n").partition(" ")
        if verdict != "ok":
            raise Trouble(f"the panel's script, at `{command.split()[0]}`: {answer}")
        return answer

    def told(self) -> dict:
        """As the script tells it."""
        return json.loads(self.do("told"))

    def wait(self, screen: str):
        """The script waits by itself."""
        self.do(f"wait {screen}")

    def wait_link(self, link: str):
        """The script waits by itself."""
        self.do(f"wait-link {link}")

    def wait_for(self, what: str, holds):
        """Looks again at each turn of the panel."""
        until = time.monotonic() + WAIT_S_MAX
        while not holds(self.told()):
            if time.monotonic() > until:
                raise Trouble(f"no {what}; the panel shows {self.told()}")
            self.do("turn")

    def click(self, name: str):
        """Presses a control."""
        self.do(f"click {name}")

    def type(self, text: str):
        """Types on the keyboard."""
        self.do(f"type {text}")

    def key(self, name: str):
        """Presses a key."""
        self.do(f"key {name}")

    def picture(self, file: Path):
        """What is seen, as a PNG."""
        self.do(f"picture {file}")

    def kill(self):
        """kill -9 of the panel."""
        self.process.kill()
        self.process.wait()


class BoardScreen(Screen):
    """The emulated board's own. The panel says on the console where its controls are; all else goes by the
    screen, the mouse and the keyboard."""

    def __init__(self, emulator: Emulator, width: int, height: int):
        self.emulator, self.width, self.height = emulator, width, height
        # Keys and buttons that were sent: what the panel tells is of use once it has had them all.
        self.sent = 0

    @property
    def control_line(self) -> Qmp:
        """QEMU's control."""
        assert self.emulator.control is not None
        return self.emulator.control

    def told(self) -> dict:
        """The last that the panel said."""
        for line in reversed(self.emulator.lines):
            found = re.search(r"panel: (\{.*\})\s*$", line)
            if found:
                return json.loads(found[1])
        return {"screen": "", "busy": True, "link": "unknown", "inputs": -1, "controls": []}

    def wait_for(self, what: str, holds):
        """Looks at each line that the console says, once everything that was sent has arrived."""
        holds = functools.partial(lambda holds, told: told["inputs"] >= self.sent and holds(told), holds)
        timer = threading.Timer(WAIT_S_MAX, self.emulator.wake)
        timer.start()
        until = time.monotonic() + WAIT_S_MAX
        try:
            self.emulator.wait_for("^$never", unless=lambda: holds(self.told()) or time.monotonic() > until)
        finally:
            timer.cancel()
        if not holds(self.told()):
            raise Trouble(f"no {what}; the panel shows {self.told()}\n{self.emulator.tail()}")

    def find(self, name: str) -> dict:
        """A control that is seen; goes to it by the keyboard if it is further down."""
        self.wait_for(f"{name} that can be used", lambda _told: self.control(name) is not None)
        for _ in range(40):
            found = self.control(name)
            if found is None:
                break
            left, top, right, bottom = found["area"]
            if right - left > 8 and bottom - top > 20:
                return found
            self.key("tab")
            self.wait_for("another focus", lambda _told: True)
        raise Trouble(f"{name} is not seen: {self.told()}")

    def click(self, name: str):
        """Presses a control with the mouse."""
        left, top, right, bottom = self.find(name)["area"]
        self.control_line.click((left + right) / 2 / self.width, (top + bottom) / 2 / self.height)
        self.sent += 2

    def type(self, text: str):
        """Types on the keyboard."""
        for char in text:
            shift = char.isupper() or char in SHIFTED
            char = SHIFTED.get(char, char.lower())
            key = PLAIN.get(char, char)
            self.control_line.send_key(*(["shift"] if shift else []), key, hold_ms=10)
            self.sent += 1
            # The kernel keeps 64 events for a program that is slower than these fingers.
            if self.sent % 4 == 0:
                self.wait_for("what was typed", lambda _told: True)

    def key(self, name: str):
        """Presses a key."""
        self.control_line.send_key(KEYS[name], hold_ms=10)
        self.sent += 1

    def picture(self, file: Path):
        """What is seen, as a PNG."""
        self.wait_for("what was sent", lambda _told: True)
        self.control_line.screendump(file)

    def kill(self):
        """kill -9 of the panel; init starts it again."""
        before = self.emulator.mark()
        self.emulator.must("kill -9 $(pidof latchkey-panel)")
        self.emulator.wait_for("panel: first frame", before)
        self.emulator.wait_for(r"panel: \{", before)
        self.sent = 0
