#!/usr/bin/python3
"""Makes what the emulated board boots, and runs it: for a person, or as a test. Called by scripts/qemu,
which installs and builds what this needs."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from check import expect, new_password
from emulator import ADDRESS, BITS, Emulator, ask, ip, make_networks, make_tap
from image import Image, make_data
from world import Trouble

SERIAL = "LK-QEMU-0001"


def test(image: Image, folder: Path):
    """Boots it, uses it over its network, cuts its power, and looks whether it knows what it knew."""
    log = folder / "commands.log"
    data = folder / "data.img"
    make_data(data, SERIAL, log)
    board = Emulator(image, data, make_networks(log), folder / "console.log")
    try:
        print(f"  1  booted a factory-new board: ready after {board.power_on():.1f} s", flush=True)
        status, device = ask("near", "GET", "/device", log=log)
        expect((status, device["serial"], device["lifecycle"]), (200, SERIAL, "inactive"), "the board, by HTTPS")
        print("  2  answered over TLS to a client on its own link", flush=True)
        password = new_password()
        status, problem = ask("far", "POST", "/activation", {"password": password}, log=log)
        expect((status, problem["type"]), (403, "urn:latchkey:problem:not-on-this-network"), "a client off the link")
        expect(ask("near", "GET", "/device", log=log)[1]["lifecycle"], "inactive", "after a refused activation")
        print("  3  refused to be activated by a client behind a router", flush=True)
        expect(ask("near", "POST", "/activation", {"password": password}, log=log)[0] // 100, 2, "activation")
        print("  4  was activated by the client on its link", flush=True)
        board.cut_power()
        print(f"  5  power was cut; ready again after {board.power_on():.1f} s", flush=True)
        expect(ask("near", "GET", "/device", log=log)[1]["lifecycle"], "active", "after the power cut")
        expect(ask("near", "POST", "/session", {"password": password}, log=log)[0] // 100, 2, "the password")
        status, problem = ask("near", "POST", "/session", {"password": new_password()}, log=log)
        expect((status, problem["type"]), (403, "urn:latchkey:problem:wrong-password"), "another password")
        print("  6  knows its password, and no other", flush=True)
    finally:
        board.cut_power()
    print("board test passed", flush=True)


def run_for_a_person(image: Image, folder: Path):
    """Boots it with its serial console on this terminal."""
    log = folder / "commands.log"
    data = folder / "data.img"
    if not data.exists():
        make_data(data, SERIAL, log)
    tap = f"latchkey{os.getpid() % 10000}"
    make_tap(tap, log)
    try:
        # We are its gateway's address, which the same-link rule refuses, and a client of the link, too.
        ip("address", "add", f"10.77.0.5/{BITS}", "dev", tap, log=log)
        print(f"  recorder   https://{ADDRESS}/   (this machine is 10.77.0.5 on its link)", flush=True)
        print(f"  data       {data}; delete it for a factory-new board", flush=True)
        print("  Enter gives a shell on its serial console; `poweroff` there ends it.", flush=True)
        subprocess.run(list(map(str, Emulator(image, data, tap, log).command())), check=False)
    finally:
        ip("link", "del", tap, log=log)


def main() -> int:
    """Carries out what scripts/qemu was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("image", "run", "test"))
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args()
    kept = options.dir.resolve()
    folder = Path(tempfile.mkdtemp(prefix="latchkey-board-")) if options.what == "test" else kept
    carry_out = {"image": lambda image, _: image.make(), "run": run_for_a_person, "test": test}
    try:
        carry_out[options.what](Image(kept, options.program.resolve()), folder)
        return 0
    except (Trouble, KeyError) as trouble:
        print(f"\n{trouble!s}\n  Logs: {folder}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
