"""What a power cut leaves on a medium. The medium itself chooses the moment: before a write or flush that
was counted out beforehand, so that a seed brings the same cut again as far as the board does the same."""

import random
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from machine import ERASE_KIB

SECTOR_BYTES = 512
PAGE_BYTES = 256
# What UBIFS writes at least.
UNIT_BYTES = 8
# Of the requests that QEMU has under way at a time (16), more than can have overtaken another one.
OVERTAKING_MAX = 64
# ext4's superblock: two sectors, with a checksum at the end of the second.
SUPERBLOCK_AT = 1024


class PowerLost(Exception):
    """The power is gone: no answer."""


class Medium:
    """A file, and the state of the power. `events` counts writes and flushes since the start."""

    has_cache = False

    def __init__(self, file: Path, when_lost: Callable[[], None]):
        self.file, self.when_lost = file, when_lost
        self.durable = bytearray(file.read_bytes())
        self.size = len(self.durable)
        self.lost = threading.Event()
        self.dice = random.Random()
        self.events = 0
        self.cut_at: int | None = None
        self.fates: dict[str, int] = {}

    def power_on(self, dice: random.Random):
        """Before a boot. `dice` will decide what the next cut leaves."""
        self.dice = dice
        self.cut_at = None
        self.lost.clear()

    def arm(self, after: int):
        """The power goes at the write or flush so many from now."""
        self.cut_at = self.events + after

    def disarm(self):
        """The power stays, unless it is gone already."""
        self.cut_at = None

    def count(self) -> bool:
        """Counts an event; whether it is the one at which the power goes."""
        if self.lost.is_set():
            raise PowerLost
        self.events += 1
        return self.events == self.cut_at

    def read(self, offset: int, length: int) -> bytes:
        """What the board reads."""
        if self.lost.is_set():
            raise PowerLost
        return bytes(self.durable[offset : offset + length])

    def write(self, offset: int, content: bytes):
        """What the board writes."""
        raise NotImplementedError

    def flush(self):
        """Everything that was written before stays."""
        raise NotImplementedError

    def lose_power(self):
        """Now. What stays is decided, and kept in the file."""
        self.lost.set()
        self.file.write_bytes(self.durable)
        self.when_lost()
        raise PowerLost

    def fate(self, name: str) -> str:
        """Notes what became of a write."""
        self.fates[name] = self.fates.get(name, 0) + 1
        return name


class CachedDisk(Medium):
    """A disk or card with a cache. Of the writes since the last flush each is lost, kept, or torn, whatever
    became of those before and after it; a torn one keeps any of its sectors. A sector is old or new."""

    has_cache = True

    def __init__(self, file: Path, when_lost: Callable[[], None]):
        super().__init__(file, when_lost)
        self.seen = bytearray(self.durable)
        self.second_sector = slice(SUPERBLOCK_AT + SECTOR_BYTES, SUPERBLOCK_AT + 2 * SECTOR_BYTES)
        self.first_end = self.durable[self.second_sector]
        self.unflushed: list[tuple[int, bytes]] = []

    def power_on(self, dice: random.Random):
        """The cache is empty."""
        super().power_on(dice)
        self.unflushed.clear()
        self.seen = bytearray(self.durable)

    def read(self, offset: int, length: int) -> bytes:
        """Through the cache."""
        super().read(offset, 0)
        return bytes(self.seen[offset : offset + length])

    def write(self, offset: int, content: bytes):
        """Into the cache."""
        last = self.count()
        self.unflushed.append((offset, content))
        if last:
            self.tear()
            self.lose_power()
        self.seen[offset : offset + len(content)] = content

    def flush(self):
        """Out of the cache; the power may go while that is done."""
        if self.count():
            self.tear()
            self.lose_power()
        for offset, content in self.unflushed:
            self.durable[offset : offset + len(content)] = content
        self.unflushed.clear()

    def tear_superblock(self):
        """After a cut: of the superblock's two sectors one stays as it was when the board was made."""
        self.durable[self.second_sector] = self.first_end
        self.file.write_bytes(self.durable)

    def tear(self):
        """Decides about everything in the cache."""
        for offset, content in self.unflushed:
            fate = self.fate(self.dice.choice(("lost", "kept", "torn")))
            for at in range(0, len(content), SECTOR_BYTES):
                if fate == "kept" or (fate == "torn" and self.dice.random() < 0.5):
                    part = content[at : at + SECTOR_BYTES]
                    self.durable[offset + at : offset + at + len(part)] = part


class RawFlash(Medium):
    """A NOR flash chip: it has no cache, and what it has done stays. The page program or erase that is under
    way is torn: only a beginning is done, or of the bits that it changes each is old or new."""

    def __init__(self, file: Path, when_lost: Callable[[], None]):
        super().__init__(file, when_lost)
        self.programmed: deque[tuple[int, bytes]] = deque(maxlen=OVERTAKING_MAX)

    def power_on(self, dice: random.Random):
        """Nothing is under way."""
        super().power_on(dice)
        self.programmed.clear()

    def write(self, offset: int, content: bytes):
        """A page program (bits become 0) or an erase (bits become 1)."""
        last = self.count()
        old = bytes(self.durable[offset : offset + len(content)])
        if len(content) == PAGE_BYTES:
            self.programmed.append((offset, old))
        if not last:
            self.durable[offset : offset + len(content)] = content
            return
        match self.fate(self.dice.choice(("lost", "beginning", "bits"))):
            case "beginning":
                done = self.dice.randrange(len(content))
                self.durable[offset : offset + done] = content[:done]
            case "bits":
                mask = self.dice.randbytes(len(content))
                torn = (before & ~bit & 255 | after & bit for before, after, bit in zip(old, content, mask))
                self.durable[offset : offset + len(content)] = bytes(torn)
        self.take_back_what_overtook(offset)
        self.lose_power()

    def take_back_what_overtook(self, torn: int):
        """QEMU's chip is done with a page before its write has left QEMU, and on a busy machine one write overtakes another.
        A real one programs the pages of a block one after the other, as UBIFS asks for them: behind the torn one, and
        behind an end that is not programmed yet, there is nothing."""
        block = ERASE_KIB * 1024
        for offset, old in sorted(reversed(self.programmed), key=lambda program: program[0]):
            behind_torn = torn % block > 0 and torn < offset < torn - torn % block + block
            if behind_torn or (offset % block and self.durable[offset - UNIT_BYTES : offset] == b"\xff" * UNIT_BYTES):
                self.durable[offset : offset + PAGE_BYTES] = old

    def flush(self):
        """There is nothing to flush."""
