#!/usr/bin/python3
"""Measures the local screen on the emulated board: each of its screens laid out, painted and shown anew, its
start, its memory, what it costs while nobody does anything, and the pointer. Called by `scripts/bench screen`."""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts" / "world"))

from boards import Board, Counter  # noqa: E402
from board_world import BoardRecorder, BoardWorld  # noqa: E402
from image import Image, make_data  # noqa: E402
from networks import make_networks  # noqa: E402
from panel_world import screen_machine, told  # noqa: E402
from screen import BoardScreen  # noqa: E402
from screen_check import ScreenCheck  # noqa: E402
from world import Trouble  # noqa: E402

SIZES = ("1024x768", "1920x1080")
REDRAWS = 5
STARTS = 5
MOVES = 20
IDLE_S = 30
# What a display shows between two of its refreshes, 60 a second.
REFRESH_US = 1_000_000 / 60
ANSWER_S_MAX = 120
REDRAWN = r"redrawn (\S+) in (\d+) us, (\d+) to paint, (\d+) to show"


class Measured(ScreenCheck):
    """The steps of the test; each screen that it comes by is measured."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.redraws: dict[str, tuple[int, int, int]] = {}
        self.idle: dict[str, float] = {}
        self.moves: list[int] = []

    def done(self, what: str):
        """Says nothing."""

    @property
    def board(self):
        """The emulator."""
        return self.screen.emulator

    def keep(self, name: str):
        """Redraws it some times; the fastest counts: the emulator shares its processor with others."""
        super().keep(name)
        found = []
        for _ in range(REDRAWS):
            before = self.board.mark()
            self.board.must("kill -USR1 $(pidof latchkey-panel)")
            line = self.board.wait_for(REDRAWN, before, ANSWER_S_MAX)
            shown = re.search(REDRAWN, line)
            assert shown
            found.append(tuple(map(int, shown.groups()[1:])))
        self.redraws[name] = min(found)
        if name in ("live", "sign-in"):
            self.idle[name] = self.cpu_share()
        if name == "sign-in":
            self.moves = self.pointer()

    def cpu_share(self) -> float:
        """How much of the processor it takes, in percent, while nobody does anything."""
        def spent_ns() -> int:
            return sum(int(line.split()[0]) for line in self.board.must(
                "cat /proc/$(pidof latchkey-panel)/task/*/schedstat").splitlines())

        began, before = time.monotonic(), spent_ns()
        # Seconds of doing nothing are what is measured.
        self.board.must(f"sleep {IDLE_S}")
        return 100 * (spent_ns() - before) / 1e9 / (time.monotonic() - began)

    def pointer(self) -> list[int]:
        """How late the pointer is shown after the mouse moved, in microseconds."""
        late = []
        for step in range(MOVES):
            before = self.board.mark()
            self.screen.control_line.point(0.1 + step / 100, 0.9)
            line = self.board.wait_for(r"pointer shown \d+ us", before, ANSWER_S_MAX)
            late.append(int(re.findall(r"shown (\d+) us", line)[0]))
        return late


def starts(board) -> list[int]:
    """Milliseconds from the making of its process to its first picture, beside a daemon that runs."""
    found = []
    for _ in range(STARTS):
        before = board.mark()
        board.must("kill -9 $(pidof latchkey-panel)")
        line = board.wait_for("panel: first frame", before, ANSWER_S_MAX)
        found.append(int(re.findall(r"first frame, (\d+) ms", line)[0]))
        board.wait_for(r"panel: \{", before, ANSWER_S_MAX)
    return found


def start_instructions(panel: Path, folder: Path) -> int | None:
    """Instructions from its start to its first picture and its end, without a display: the same on every machine,
    however busy. None where QEMU cannot count them."""
    counter = Counter(Board("qemu-armv7", panel), folder)
    if not counter.command:
        return None
    before = counter.at_rest()
    command = [*counter.command, panel, "script", "--size", "1024x768"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return counter.at_rest() - before


def measure(folder: Path, image: Image, programs: Path, size: str) -> dict:
    """One size."""
    place = folder / size
    place.mkdir()
    width, height = map(int, size.split("x"))
    data = place / "data.img"
    make_data(data, f'[device]\nserial = "LK-SCREEN-{width}"\n', folder / "commands.log")
    recorder = BoardRecorder(image, screen_machine(place, data, width, height), place / "console.log")
    with BoardWorld(place, programs, recorder) as world:
        recorder.emulator.power_on()
        recorder.identify(world.cloud, place)
        beside = next(line for line in recorder.emulator.lines if "panel: first frame" in line)
        screen = BoardScreen(recorder.emulator, width, height)

        def again() -> BoardScreen:
            screen.kill()
            return screen

        check = Measured(world, screen, recorder.crash, again, place / "pictures")
        told(check, recorder.emulator.tail)
        status = recorder.emulator.must("cat /proc/$(pidof latchkey-panel)/status")
        memory = {key: int(value) for key, value in re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status)}
        return {
            "redraw_us": check.redraws,
            "start_beside_daemon_ms": int(re.findall(r"frame, (\d+) ms", beside)[0]),
            "start_ms": starts(recorder.emulator),
            "memory_kib": memory,
            "idle_percent": check.idle,
            "pointer_us": check.moves,
        }


def table(figures: dict):
    """For people."""
    for size, found in figures["sizes"].items():
        print(f"\n  {size}")
        for name, (whole, paint, show) in sorted(found["redraw_us"].items(), key=lambda row: -row[1][0]):
            print(f"    {name:20} {whole / 1000:6.1f} ms   {paint / 1000:6.1f} to lay out and paint, {show / 1000:.1f} to show")
        late = sorted(found["pointer_us"])
        middle, most = statistics.median(late), late[-1]
        print(f"    first picture        {found['start_beside_daemon_ms']} ms beside a starting daemon, "
              f"{min(found['start_ms'])} to {max(found['start_ms'])} ms alone")
        print(f"    memory               {found['memory_kib']['VmRSS']} KiB resident, {found['memory_kib']['VmHWM']} at most")
        print(f"    idle                 {found['idle_percent']['live']:.2f} % without a caret, "
              f"{found['idle_percent']['sign-in']:.2f} % with one")
        print(f"    pointer              {middle / 1000:.1f} ms in the middle, {most / 1000:.1f} at most: "
              f"{middle / REFRESH_US:.2f} and {most / REFRESH_US:.2f} frames of 60 a second")
    if figures["start_instructions"]:
        print(f"\n  start                {figures['start_instructions'] / 1e6:.1f} million instructions to the first picture")
    print(f"\n  program              {figures['program_bytes'] / 1024:.0f} KiB with its typefaces")


def main() -> int:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--built", type=Path, required=True, help="where the board's programs are")
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True, help="where the board's image is")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", action="append")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latchkey-screen-bench-"))
    panel = options.built.resolve() / "latchkey-panel"
    image = Image(options.dir.resolve(), options.built.resolve() / "latchkeyd", panel)
    figures: dict = {"program_bytes": panel.stat().st_size, "sizes": {}}
    figures["start_instructions"] = start_instructions(panel, folder)
    try:
        make_networks(folder / "commands.log")
        for size in options.size or SIZES:
            figures["sizes"][size] = measure(folder, image, options.programs.resolve(), size)
    except Trouble as trouble:
        print(f"\n{trouble}\n  Logs: {folder}", file=sys.stderr)
        return 1
    options.out.write_text(json.dumps(figures, indent=2))
    table(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
