"""What can be counted of a board's program without the board, under QEMU's user emulation: its size, and the
instructions of one challenge and one sign-in of the real daemon, in the world of the demo. They change only
with the code and the compiler, not with what else the machine does."""

import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "scripts" / "world"))

from check import FIRST_EMAIL, Check  # noqa: E402
from world import Trouble, World  # noqa: E402

# By the first letters of a board's target. The statically linked emulators take no plugins.
EMULATORS = {"arm": "qemu-arm", "aarch64": "qemu-aarch64"}
# Of the plugin's interface; QEMU names the one that it has only by refusing the others.
PLUGIN_VERSIONS = range(1, 8)
ROUNDS = 5
# The daemon is at rest when its count has stood still for so long.
REST_S = 0.2
REST_S_MAX = 60


class Quiet(Check):
    """The steps of `scripts/demo --check`, without a line for each."""

    def done(self, what: str):
        """Says nothing."""


class Board:
    """A board that scripts/build has built."""

    def __init__(self, name: str, program: Path | None = None):
        self.name = name
        self.program = program or TOP / "target" / "boards" / name / "latchkeyd"

    def value(self, section: str, key: str) -> str:
        """A value of the board's file."""
        command = '. scripts/lib.sh; board_value "board/$1.toml" "$2" "$3"'
        shell = ["bash", "-euo", "pipefail", "-c", command, "boards", self.name, section, key]
        return subprocess.run(shell, cwd=TOP, capture_output=True, text=True, check=True).stdout

    def emulator(self) -> list[str]:
        """What runs the board's programs."""
        target = self.value("build", "target")
        family = next(family for family in EMULATORS if target.startswith(family))
        return [f"/usr/bin/{EMULATORS[family]}", "-cpu", self.value("build", "cpu")]


class Counter:
    """Reads what the plugin has counted."""

    def __init__(self, board: Board, folder: Path):
        self.file = folder / "instructions"
        self.command = self.compile(board, folder)

    def compile(self, board: Board, folder: Path) -> list[str]:
        """What runs the board's programs and counts; empty if this QEMU takes no plugins."""
        emulator = board.emulator()
        shown = subprocess.run([emulator[0], "--help"], capture_output=True, text=True, check=False)
        if "-plugin" not in shown.stdout:
            return []
        for version in PLUGIN_VERSIONS:
            built = folder / f"instructions-{version}.so"
            flags = ["-O2", "-shared", "-fPIC", f"-DPLUGIN_VERSION={version}"]
            subprocess.run(["cc", *flags, "-o", built, TOP / "benches" / "instructions.c"], check=True)
            command = [*emulator, "-plugin", f"{built},out={self.file}"]
            # Without arguments the daemon says how it is used, and ends.
            tried = subprocess.run([*command, board.program], capture_output=True, check=False)
            if self.file.exists():
                return command
        raise Trouble(f"{emulator[0]} refuses the counter: {tried.stderr.decode(errors='replace').strip()}")

    def at_rest(self) -> int:
        """The count, once the daemon has nothing left to do."""
        until, last, since = time.monotonic() + REST_S_MAX, -1, 0.0
        while time.monotonic() < until:
            found = int.from_bytes(self.file.read_bytes(), sys.byteorder)
            if found != last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > REST_S:
                return found
            time.sleep(REST_S / 10)
        raise Trouble(f"the daemon does not come to rest within {REST_S_MAX} s")

    def of(self, action) -> int:
        """Instructions that the daemon takes for what an action asks of it."""
        before = self.at_rest()
        action()
        return self.at_rest() - before


def measure(board: Board, cloud: Path, folder: Path) -> dict:
    """The figures of one board."""
    found = {
        "binary_bytes": board.program.stat().st_size,
        "binary_bytes_max": int(board.value("build", "size_max_kib")) * 1024,
        "password_hash": {key: int(board.value("password_hash", key)) for key in ("memory_kib", "passes")},
    }
    programs = folder / "programs"
    programs.mkdir(parents=True)
    counter = Counter(board, folder)
    if not counter.command:
        return found
    (programs / "latchkey-cloud").symlink_to(cloud)
    wrapper = programs / "latchkeyd"
    words = " ".join(shlex.quote(str(word)) for word in [*counter.command, board.program])
    wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    wrapper.chmod(0o755)
    with World(folder / "world", programs, board=board.name) as world:
        world.start()
        return found | instructions(Quiet(world), counter)


def instructions(check: Quiet, counter: Counter) -> dict:
    """Of one sign-in and one challenge. Each is asked for on a connection of its own: what a connection and a
    small request take is counted too, and subtracted."""
    check.read_documents()
    check.activate()
    request = statistics.median_low([counter.of(check.describe) for _ in range(ROUNDS)])
    sign_ins = []
    for _ in range(ROUNDS):
        sign_ins.append(counter.of(check.sign_in) - request)
        check.sign_out()
    challenges = []
    for number in range(ROUNDS):
        # Another reserved email ends the challenge before, and so the next one is drawn anew.
        check.sign_in()
        email = FIRST_EMAIL if number % 2 else FIRST_EMAIL.replace("owner", "other")
        check.device.must("PUT", "/admin/reserved-email", {"current": check.password, "email": email})
        check.sign_out()
        draw = counter.of(lambda: check.device.must("POST", "/reset/challenge", {"terms_accepted": True}))
        picture = counter.of(lambda: check.device.must("GET", "/reset/challenge/qr.png"))
        challenges.append(draw + picture - 2 * request)
    return {
        "request_instructions": request,
        "sign_in_instructions": statistics.median_low(sign_ins),
        "challenge_instructions": statistics.median_low(challenges),
    }
