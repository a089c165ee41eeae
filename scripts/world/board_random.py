"""Started before the kernel's pool of random numbers is ready, the daemon waits."""

import re
from collections.abc import Callable
from pathlib import Path

from emulator import Emulator
from image import Image, make_data
from machine import Machine
from world import Trouble

STARTED = r"latchkeyd is started"
POOL_READY = r"random: crng init done"
# The first thing that a factory-new daemon makes of random numbers: the key of its certificate.
KEY_MADE = r"making a new certificate"
UNREADY = r"random: latchkeyd: uninitialized"


def wait_for_random(image: Image, folder: Path, settings: str, tell: Callable[[str], None]):
    """Boots a factory-new board that has no source of random numbers at its start, and reads in the kernel's
    log, which has the daemon's in it, what came after what."""
    data = folder / "random.img"
    make_data(data, settings, folder / "commands.log")
    words = ("latchkey.log=kernel", "loglevel=8", "printk.devkmsg=on", "log_buf_len=1M")
    machine = Machine(folder, disk=str(data), random=False, words=words)
    board = Emulator(image, machine, folder / "console-random.log")
    try:
        board.power_on()
        kernel_log = board.must("dmesg").splitlines()
    finally:
        board.cut_power()
    places = []
    for pattern in (STARTED, POOL_READY, KEY_MADE):
        found = [number for number, line in enumerate(kernel_log) if re.search(pattern, line)]
        if not found:
            raise Trouble(f"the kernel's log does not say `{pattern}`; it is in {board.log}")
        places.append(found[0])
    started, ready, made = places
    if ready < started:
        raise Trouble("the pool was ready before the daemon was started: this boot shows nothing about waiting")
    if made < ready:
        raise Trouble(f"a key was made before the pool was ready:\n{kernel_log[made]}\n{kernel_log[ready]}")
    if any(re.search(UNREADY, line) for line in kernel_log):
        raise Trouble("the daemon read random numbers that were not ready yet")
    started_s, ready_s, made_s = (float(re.search(r"\[ *([\d.]+)\]", kernel_log[place])[1]) for place in places)
    tell(
        f"started before the random pool was ready, the daemon waited: started at {started_s:.2f} s, pool ready "
        f"at {ready_s:.2f} s, first key at {made_s:.2f} s by the kernel's log"
    )
