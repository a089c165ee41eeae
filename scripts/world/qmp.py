"""QEMU's machine protocol: what a test, or a person's program, does to an emulated board from outside. It
sees the screen, presses keys, moves the pointer, resets the machine."""

import json
import socket
import time
from pathlib import Path

from world import Trouble

ANSWER_S_MAX = 60
# A tablet's axes, whatever the size of the screen.
AXIS_MAX = 0x7FFF


class Qmp:
    """A connection to one emulator, by the Unix socket that it was started with
    (`-qmp unix:PATH,server=on,wait=off`)."""

    def __init__(self, path: Path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(ANSWER_S_MAX)
        until = time.monotonic() + ANSWER_S_MAX
        while True:
            try:
                self.connection.connect(str(path))
                break
            except (FileNotFoundError, ConnectionRefusedError) as error:
                # The emulator makes its socket while it starts.
                if time.monotonic() > until:
                    raise Trouble(f"the emulator does not answer at {path}: {error}") from None
                time.sleep(0.02)
        self.lines = self.connection.makefile("r", encoding="utf-8")
        self.receive("QMP")
        self.do("qmp_capabilities")

    def receive(self, *keys: str) -> dict:
        """The next message that has one of these keys; events in between are passed over."""
        for line in self.lines:
            message = json.loads(line)
            if any(key in message for key in keys):
                return message
        raise Trouble("the emulator closed its control connection")

    def do(self, command: str, **arguments) -> dict:
        """Carries out one command and gives what it returns. Trouble if the emulator refuses."""
        request = {"execute": command, "arguments": arguments}
        self.connection.sendall(json.dumps(request).encode() + b"\n")
        answer = self.receive("return", "error")
        if "error" in answer:
            raise Trouble(f"the emulator refuses {command}: {answer['error'].get('desc')}")
        return answer["return"]

    def screendump(self, file: Path):
        """Saves the screen as a PNG."""
        self.do("screendump", filename=str(file), format="png")

    def send_key(self, *keys: str, hold_ms: int = 50):
        """Presses keys together, by QEMU's names for them (`ctrl`, `a`, `ret`), and lets them go."""
        codes = [{"type": "qcode", "data": key} for key in keys]
        self.do("send-key", keys=codes, **{"hold-time": hold_ms})

    def point(self, x: float, y: float):
        """Puts the tablet's pointer there: 0 to 1 from the left, and from the top."""
        events = [
            {"type": "abs", "data": {"axis": axis, "value": round(part * AXIS_MAX)}}
            for axis, part in (("x", x), ("y", y))
        ]
        self.do("input-send-event", events=events)

    def click(self, x: float, y: float, button: str = "left"):
        """Points there, presses and lets go."""
        self.point(x, y)
        for down in (True, False):
            self.do("input-send-event", events=[{"type": "btn", "data": {"button": button, "down": down}}])

    def system_reset(self):
        """The reset button: the processor starts anew, without a word to the kernel."""
        self.do("system_reset")

    def close(self):
        """Ends the connection; the emulator goes on."""
        self.lines.close()
        self.connection.close()
