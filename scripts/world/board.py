#!/usr/bin/python3
"""Makes what the emulated board boots, and runs it: for a person, or as a test. Called by scripts/qemu,
which installs and builds what this needs."""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from board_check import SERIAL, BoardCheck
from board_cuts import Cuts
from board_random import wait_for_random
from board_world import BoardRecorder, BoardWorld
from contract import Broken
from image import Image, make_data
from machine import Machine
from networks import ADDRESS, BITS, GATEWAY, make_networks
from world import Ports, Trouble, is_free

LONG_CUTS = 50
SHORT_CUTS = {"virt": 5, "flash": 3}
VNC_FIRST = 5900
SETTINGS = f'''[device]
serial = "{SERIAL}"

[watchdog]
device = "/dev/watchdog"
feed_every_s = 10
'''
# The hook that ships, for the login on the serial console. Not in the board's own file: a program of that board that
# runs on a developer's machine must not change the passwords there.
HOOKS = """
[hooks]
folder = "/etc/latchkey/hooks"
"""


def test(image: Image, folder: Path, programs: Path):
    """Boots it, and walks through everything that must hold on it."""
    log = folder / "commands.log"
    data = folder / "data.img"
    make_data(data, SETTINGS + HOOKS, log)
    make_networks(log)
    recorder = BoardRecorder(image, Machine(folder, disk=str(data)), folder / "console.log")
    with BoardWorld(folder, programs, recorder) as world:
        check = BoardCheck(world)
        try:
            check.run()
        except (Trouble, Broken, OSError, KeyError, ValueError) as error:
            reason = f"no {error} in the answer" if isinstance(error, KeyError) else error
            raise Trouble(f"FAILED, at: {check.step}\n  {reason}\n{recorder.emulator.tail()}") from error
        recorder.emulator.cut_power()
        wait_for_random(image, folder, SETTINGS, check.done)
        cut_the_power(image, folder, check.done)
    print("board test passed", flush=True)


def cut_the_power(image: Image, folder: Path, tell, media=("virt", "flash")):
    """Power cuts on both media. LATCHKEY_TEST_SEED brings the same cuts again."""
    seed = os.environ.get("LATCHKEY_TEST_SEED") or str(random.SystemRandom().randrange(10**9))
    print(f"     power cuts by the seed {seed}", flush=True)
    long = bool(os.environ.get("LATCHKEY_TEST_LONG"))
    # The block server is to be faster than the board, whatever else the machine does.
    with contextlib.suppress(PermissionError):
        os.nice(-10)
    for kind in media:
        Cuts(image, folder, kind, SETTINGS, seed).run(LONG_CUTS if long else SHORT_CUTS[kind], tell)


def run_for_a_person(image: Image, folder: Path, window: bool):
    """Boots it with its serial console on this terminal, its pages on this machine's own loopback interface,
    and its screen in a window or over VNC. Its data outlives a boot."""
    log, data, saved = folder / "commands.log", folder / "data.img", folder / "ports.json"
    ports = Ports()
    # The port is part of the address that a browser shows and the recorder checks: its settings have it.
    https, http = json.loads(saved.read_text()) if data.exists() else (ports.pick(8443), ports.pick(8080))
    if not data.exists():
        saved.write_text(json.dumps([https, http]))
        make_data(data, f"{SETTINGS}{HOOKS}\n[lan]\nhttps_port = {https}\nhttp_port = {http}\n", log)
    for port in (https, http):
        if not is_free(port):
            raise Trouble(f"port {port} is taken; delete {data} for a factory-new board with other ports")
    vnc = ports.pick(VNC_FIRST)
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{port}-{ADDRESS}:{port}" for port in (https, http))
    machine = Machine(
        folder,
        disk=str(data),
        # QEMU's own network needs no right of root's. Connections come from its gateway's address there, which
        # the same-link rule refuses where it is the board's gateway; this board has none, and needs none.
        network=f"user,id=n,net={ADDRESS.rsplit('.', 1)[0]}.0/{BITS},host={GATEWAY}{forwards}",
        gateway="",
        shell=False,
        words=("latchkey.screen", "console=tty0", "console=ttyAMA0"),
        arguments=(
            *("-device", "virtio-gpu-pci", "-device", "virtio-keyboard-pci", "-device", "virtio-tablet-pci"),
            *("-display", "gtk" if window else f"vnc=127.0.0.1:{vnc - VNC_FIRST}"),
        ),
    )
    print(f"  recorder   https://127.0.0.1:{https}/", flush=True)
    print(f"  screen     {'in a window' if window else f'VNC at 127.0.0.1:{vnc}'}", flush=True)
    print(f"  control    {machine.qmp} (QEMU's machine protocol)", flush=True)
    print(f"  data       {data}; delete it for a factory-new board", flush=True)
    print("  console    here: sign in as admin, with the password of its pages; `poweroff` ends it, Ctrl-C cuts its power", flush=True)
    subprocess.run(machine.command(image.kernel, image.initramfs, image.device_tree), check=False)


def main() -> int:
    """Carries out what scripts/qemu was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("image", "run", "test", "cuts", "random"))
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--panel", type=Path, help="the local screen's program, if the board is to have it")
    parser.add_argument("--programs", type=Path, help="where latchkey-cloud is")
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--window", action="store_true", help="show the screen in a window, not over VNC")
    parser.add_argument("--media", nargs="+", choices=("virt", "flash"), default=("virt", "flash"))
    options = parser.parse_args()
    kept = options.dir.resolve()
    is_test = options.what in ("test", "cuts", "random")
    folder = Path(tempfile.mkdtemp(prefix="latchkey-board-")) if is_test else kept
    image = Image(kept, options.program.resolve(), options.panel and options.panel.resolve())
    try:
        match options.what:
            case "image":
                image.make()
            case "random":
                make_networks(folder / "commands.log")
                wait_for_random(image, folder, SETTINGS, print)
            case "cuts":
                make_networks(folder / "commands.log")
                cut_the_power(image, folder, print, options.media)
            case "run":
                run_for_a_person(image, folder, options.window)
            case "test":
                test(image, folder, options.programs.resolve())
        if is_test:
            shutil.rmtree(folder)
        return 0
    except Trouble as trouble:
        print(f"\n{trouble!s}\n  Kept, with logs and data: {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
