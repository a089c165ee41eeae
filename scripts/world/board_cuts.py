"""Power cuts while the account is rewritten in a loop. After each the board boots, is active, and its account
is the one before the change that was under way or the one after it, as a whole: never older than the last
change that the board answered for."""

import random
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blockserver import BlockServer
from check import expect, new_password
from client import Answer, ask
from emulator import READY, Emulator
from image import Image, make_data
from machine import Machine
from medium import CachedDisk, Medium, RawFlash
from networks import ADDRESS
from world import Trouble

# The mask of an address shows its first and last letter, which tell it from those before and after it.
LETTERS = string.ascii_lowercase
# One cut in so many comes while the board starts: while it repairs what the one before left.
EARLY_ONE_IN = 4
# The part of the changes that change the password; the others change the address. To find out which
# password the board has may take a wrong one, which it makes us wait for.
PASSWORDS = 0.4
WAIT_S_MAX = 120


@dataclass(frozen=True)
class Account:
    """What the record holds after one of the changes."""

    password: str
    email: str

    @property
    def masked(self) -> str:
        """The address as anyone sees it."""
        return f"{self.email[0]}***{self.email[0]}@e***e.org"


class Cuts:
    """One board on one medium, and the changes that it was asked for."""

    def __init__(self, image: Image, folder: Path, kind: str, settings: str, seed: str):
        self.kind, self.seed = kind, seed
        self.folder = folder / f"cuts-{kind}"
        self.folder.mkdir()
        data = self.folder / "data.img"
        make_data(data, settings, self.folder / "commands.log", flash=kind == "flash")
        medium = RawFlash if kind == "flash" else CachedDisk
        self.medium: Medium = medium(data, when_lost=lambda: self.emulator.wake())
        self.server = BlockServer(self.folder / "disk.socket", self.medium)
        machine = Machine(self.folder, kind=kind, disk=self.server.address, shell=False)
        self.emulator = Emulator(image, machine, self.folder / "console.log")
        # The accounts that the board may have: the last one it answered for, and those asked for since.
        self.possible: list[Account] = []
        self.changes = 0

    def run(self, cuts: int, tell: Callable[[str], None]):
        """As many cuts, and a look after each."""
        dice = random.Random(f"{self.seed} {self.kind}")
        try:
            self.medium.power_on(dice)
            self.emulator.power_on()
            boot_events = self.medium.events
            self.activate()
            before = self.medium.events
            self.change(dice)
            change_events = self.medium.events - before
            expect(change_events > 0, True, "a change of the account is written to the medium")
            early, repaired = 0, 0
            self.medium.arm(dice.randint(1, 2 * change_events))
            for number in range(1, cuts + 1):
                self.until_cut(dice)
                # The dice seldom hit it, and the kernel mounts no file system that has lost it.
                if number == cuts and isinstance(self.medium, CachedDisk):
                    self.medium.tear_superblock()
                self.medium.power_on(dice)
                if number < cuts and dice.randrange(EARLY_ONE_IN) == 0:
                    early += 1
                    self.medium.arm(dice.randint(1, max(1, boot_events)))
                    self.emulator.start()
                    # It may be up before the cut: then the cut comes while the account is changed, as any other. Not
                    # while we sign in: a sign-in is charged beforehand, and some that are cut off make us wait long.
                    if not self.emulator.wait_for(READY, unless=self.medium.lost.is_set):
                        continue
                    self.medium.disarm()
                else:
                    before = self.medium.events
                    self.emulator.power_on()
                    boot_events = self.medium.events - before
                repaired += any("repaired from the other copy" in line for line in self.emulator.lines)
                if not self.look():
                    continue
                self.medium.arm(dice.randint(1, 2 * change_events))
            fates = ", ".join(f"{count} {fate}" for fate, count in sorted(self.medium.fates.items()))
            tell(
                f"{cuts} power cuts on {'UBIFS' if self.kind == 'flash' else 'ext4'} while the account was "
                f"rewritten: always the old or the new account ({self.changes} changes; unsaved writes: {fates}; "
                f"{early} cuts while it started; {repaired} times a copy was repaired)"
            )
        except Trouble as trouble:
            raise Trouble(f"{trouble}\n{self.emulator.tail()}\n  again: LATCHKEY_TEST_SEED={self.seed}") from None
        finally:
            self.emulator.cut_power()
            self.server.close()

    def until_cut(self, dice: random.Random):
        """Changes the account until the power goes, then kills what is left."""
        while not self.medium.lost.is_set():
            self.change(dice)
        self.emulator.cut_power()

    def activate(self):
        """The first account."""
        account = Account(new_password(), self.address())
        body = {"password": account.password, "reserved_email": account.email}
        answer = ask(443, "POST", "/api/v1/activation", body, host=ADDRESS)
        expect(answer.status, 201, f"activation ({answer.content!r})")
        self.possible = [account]
        self.sign_in(account)

    def address(self) -> str:
        """The next address."""
        letter = LETTERS[self.changes % len(LETTERS)]
        return f"{letter}-owner-{letter}@example.org"

    def change(self, dice: random.Random):
        """One change, answered for unless the power goes before."""
        self.changes += 1
        now = self.possible[-1]
        if dice.random() < PASSWORDS:
            account = Account(new_password(), now.email)
            path, body = "/admin/password", {"current": now.password, "new": account.password}
        else:
            account = Account(now.password, self.address())
            path, body = "/admin/reserved-email", {"current": now.password, "email": account.email}
        self.possible.append(account)
        answer = self.ask("PUT", path, body, {"Authorization": f"Bearer {self.session}"})
        if answer is None:
            return
        expect(answer.status // 100, 2, f"PUT {path} ({answer.content!r})")
        self.server.settle()
        if not self.medium.lost.is_set():
            self.possible = [account]

    def look(self) -> bool:
        """What the board has now must be one of the possible accounts. False if the power went meanwhile."""
        answer = self.ask("GET", "/device", None, {})
        if answer is None:
            return False
        device = answer.json()
        expect(device["lifecycle"], "active", "the board after a power cut")
        masks = [account for account in self.possible if [account.masked] == device["masked_emails"]]
        # The newest first: a wrong one costs a failed sign-in.
        for account in reversed(masks):
            signed_in = self.sign_in(account)
            if signed_in is None:
                return False
            if signed_in:
                self.possible = [account]
                return True
        wanted = ", ".join(account.masked for account in self.possible)
        raise Trouble(f"the board has {device['masked_emails']} and another password; possible were {wanted}")

    def sign_in(self, account: Account) -> bool | None:
        """Whether this is the password. None if the power went meanwhile."""
        body = {"password": account.password}
        while (answer := self.ask("POST", "/session", body, {})) is not None and answer.status == 429:
            # A sign-in is charged beforehand, and a power cut keeps that: nothing but waiting helps.
            wait_s = answer.json()["wait_s"]
            if wait_s > WAIT_S_MAX:
                raise Trouble(f"the board wants us to wait {wait_s} s after a wrong password")
            self.medium.lost.wait(wait_s)
        if answer is None:
            return None
        if answer.status == 403 and answer.problem() == "wrong-password":
            return False
        expect(answer.status // 100, 2, f"sign-in ({answer.content!r})")
        self.session = answer.json()["session"]
        return True

    def ask(self, method: str, path: str, body: dict | None, headers: dict) -> Answer | None:
        """A request to the board. None if the power goes before its answer: nobody waits for that then."""
        found: list[Answer | Exception] = []
        done = threading.Event()

        def in_background():
            try:
                found.append(ask(443, method, f"/api/v1{path}", body, host=ADDRESS, headers=headers))
            except (OSError, Trouble) as error:
                found.append(error)
            done.set()
            self.emulator.wake()

        threading.Thread(target=in_background, daemon=True).start()
        self.emulator.wait_until(lambda: done.is_set() or self.medium.lost.is_set())
        if not done.is_set():
            return None
        if isinstance(found[0], Exception):
            if self.medium.lost.is_set():
                return None
            raise Trouble(f"{method} {path}: {found[0]}")
        return found[0]
