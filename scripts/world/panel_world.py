#!/usr/bin/python3
"""Walks the local screen through a reset, with the real recovery service and its mails: without a display,
or on the emulated board with its own display, mouse and keyboard."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from board_world import BoardRecorder, BoardWorld
from check import Check
from contract import Broken
from image import Image, make_data
from machine import Machine
from networks import make_networks
from screen import BoardScreen, ScriptedScreen
from screen_check import BoardScreenCheck, ScreenCheck
from world import TOP, Trouble, World

SIZES = ("1024x768", "800x480", "1920x1080")
BOARD_SIZES = ("800x480", "1920x1080")
# A framebuffer of 16 bits a pixel, without the kernel's mode setting.
OLD = "16-bit"


def told(check: Check, more=lambda: ""):
    """Runs a check; its trouble says at which step."""
    try:
        check.run()
    except (Trouble, Broken, OSError, KeyError, ValueError) as error:
        reason = f"no {error} in the answer" if isinstance(error, KeyError) else error
        raise Trouble(f"FAILED, at: {check.step}\n  {reason}\n{more()}") from error


def scripted(folder: Path, programs: Path, pictures: Path, size: str):
    """The panel without a display, beside a recorder of this machine."""
    world = World(folder / size, programs)
    with world:
        world.start()
        recorder = world.recorder
        assert recorder.boot is not None

        def screen() -> ScriptedScreen:
            # Inside of the recorder's boot: its socket is on the tmpfs there.
            enter = [*recorder.boot.enter(), programs / "latchkey-panel"]
            arguments = ["--socket", str(recorder.runtime / "console.socket")]
            return ScriptedScreen(enter, arguments, size, folder / "panel.log")

        shown = [screen()]

        def again() -> ScriptedScreen:
            shown[0].kill()
            shown[0] = screen()
            return shown[0]

        try:
            check = ScreenCheck(world, shown[0], recorder.crash, again, pictures / size)
            check.reaches_cloud = True
            told(check)
        finally:
            shown[0].kill()


def screen_machine(folder: Path, data: Path, width: int, height: int, card: str = "virtio") -> Machine:
    """The emulated board with a display of this size, a keyboard, a pointer, and USB. The card `cirrus` is an old one
    of 16 bits a pixel, whose size is its own."""
    display = f"virtio-gpu-pci,xres={width},yres={height}" if card == "virtio" else "cirrus-vga,romfile="
    devices = (display, "virtio-keyboard-pci", "virtio-tablet-pci", "qemu-xhci")
    arguments = tuple(word for device in devices for word in ("-device", device))
    return Machine(folder, disk=str(data), words=("latchkey.screen", "latchkey.tell"), arguments=arguments)


def board(folder: Path, image: Image, programs: Path, pictures: Path, size: str):
    """The emulated board with a display of this size, such as 800x480; `16-bit` is an old framebuffer."""
    old = size == OLD
    width, height = (1024, 768) if old else map(int, size.split("x"))
    place = folder / size
    place.mkdir()
    data = place / "data.img"
    settings = f'[device]\nserial = "LK-SCREEN-{width}"\n'
    if old:
        settings += '[panel]\ndisplay = "fbdev"\n'
    make_data(data, settings, folder / "commands.log")
    machine = screen_machine(place, data, width, height, "cirrus" if old else "virtio")
    recorder = BoardRecorder(image, machine, place / "console.log")
    emulator = recorder.emulator
    with BoardWorld(place, programs, recorder) as world:
        print(f"     {size}: ready after {emulator.power_on():.1f} s", flush=True)
        recorder.identify(world.cloud, place)
        if old:
            # What a PC's VGA BIOS does, and the card's driver relies on: the CRT controller's registers are where
            # a colour card has them (the MISC output, port 0x3c2). Then the driver sets its mode again.
            blank = "/sys/class/graphics/fb0/blank"
            emulator.must(f"printf '\\003' | dd of=/dev/port bs=1 seek=962; echo 4 >{blank}; echo 0 >{blank}")
        # Whatever reaches the console would end up here.
        emulator.must("cat </dev/tty1 >/run/typed & cat </dev/tty0 >>/run/typed &")
        screen = BoardScreen(emulator, width, height)

        def again() -> BoardScreen:
            screen.kill()
            return screen

        told(BoardScreenCheck(world, screen, recorder.crash, again, pictures / f"board-{size}"), emulator.tail)
        heard = emulator.must("cat /run/typed; cat /dev/vcs1 2>/dev/null | grep -a -i -e owner@ -e Aa1 || true")
        if heard.strip():
            raise Trouble(f"{size}: what was typed reached the console: {heard!r}")
        print(f"     {size}: nothing that was typed reached the console", flush=True)
        for what in ("VmRSS", "VmHWM", "RssFile", "RssAnon"):
            print(f"     {emulator.must(f'grep {what} /proc/$(pidof latchkey-panel)/status')}", flush=True)


def main() -> int:
    """Runs what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("scripted", "board"))
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--dir", type=Path, help="where the board's image is")
    parser.add_argument("--size", action="append")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="latchkey-screen-"))
    pictures = (options.pictures or TOP / "target/screenshots").resolve()
    programs = options.programs.resolve()
    try:
        if options.what == "scripted":
            for size in options.size or SIZES:
                scripted(folder, programs, pictures, size)
        else:
            make_networks(folder / "commands.log")
            built = Path("target/boards/qemu-armv7").resolve()
            image = Image(options.dir.resolve(), built / "latchkeyd", built / "latchkey-panel")
            long = (OLD,) if os.environ.get("LATCHKEY_TEST_LONG") == "1" else ()
            for size in options.size or (*BOARD_SIZES, *long):
                board(folder, image, programs, pictures, size)
    except Trouble as trouble:
        print(f"\n{trouble!s}\n  Logs: {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("screen test passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
