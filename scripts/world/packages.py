"""Debian's packages for the emulated board's processor, pinned by their digests and kept."""

import hashlib
import json
import os
import re
from pathlib import Path

from world import TOP, Trouble, run


def pins(file: Path) -> dict[str, tuple[str, str]]:
    """Package -> version, SHA-256."""
    lines = (line.split() for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {name: (version, digest) for name, version, digest in lines}


class Archive:
    """Debian's main archive for armhf, by an apt of its own: the machine's own lists stay as they are, and
    the machine may be an Ubuntu."""

    CONFIG = """
        APT::Architecture "armhf";
        APT::Architectures {{ "armhf"; }};
        APT::Sandbox::User "{user}";
        Acquire::Languages "none";
        Acquire::Retries "3";
        Dir::State "{folder}/state";
        Dir::State::status "{folder}/status";
        Dir::Cache "{folder}/cache";
        Dir::Etc::sourcelist "{folder}/sources.list";
        Dir::Etc::sourceparts "-";
    """
    KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"

    def __init__(self, folder: Path):
        self.folder, self.log = folder, folder / "apt.log"
        self.files = folder / "packages"
        for part in ("state/lists/partial", "cache/archives/partial", "packages"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [signed-by={self.KEYS}] http://deb.debian.org/debian bookworm main\n")
        user = "root" if os.geteuid() == 0 else ""
        (folder / "apt.conf").write_text(self.CONFIG.format(folder=folder, user=user))

    def apt(self, *arguments: str) -> str:
        """Runs apt with this archive only."""
        environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf")}
        return run(*arguments, log=self.log, env=environment, cwd=self.files)

    def fetch(self, list_of_pins: Path = TOP / "scripts/qemu-packages.txt") -> list[Path]:
        """The pinned packages, downloaded unless they are here."""
        wanted = pins(list_of_pins)
        kept = [self.kept(name, digest) for name, (_, digest) in wanted.items()]
        if not all(kept):
            self.apt("apt-get", "-q", "update")
        found = []
        for (name, (version, digest)), here in zip(wanted.items(), kept):
            found.append(here or self.download(name, version, digest, list_of_pins))
        return found

    def download(self, name: str, version: str, digest: str, list_of_pins: Path) -> Path:
        """One package. Where the archive has moved on to a newer version, that one is taken, and said: apt
        has checked it by the archive's signature. The pinned version with another content is refused."""
        present = name
        kernel = re.fullmatch(r"linux-image-[\d.]+-\d+-(\w+)", name)
        if kernel:
            depends = self.apt("apt-cache", "depends", f"linux-image-{kernel[1]}")
            present = re.search(r"Depends: (linux-image-\S+)", depends)[1]
        for old in self.files.glob(f"{present}_*"):
            old.unlink()
        self.apt("apt-get", "-q", "download", present)
        file = next(self.files.glob(f"{present}_*.deb"))
        found = sha256(file)
        if found != digest:
            now = self.apt("dpkg-deb", "--field", str(file), "Version").strip()
            if (present, now) == (name, version):
                raise Trouble(f"{file} is not what {list_of_pins.name} has for {name} {version}")
            print(f"  ! the archive has {present} {now} now, {list_of_pins.name} names {name} {version}", flush=True)
            self.remember(digest, present, found)
        target = file.with_name(f"{present}.deb")
        file.replace(target)
        return target

    @property
    def successors(self) -> Path:
        """What was taken for pins that the archive has no more: their digest -> package, its digest."""
        return self.folder / "successors.json"

    def remember(self, pinned: str, name: str, digest: str):
        """Notes what was taken in a pin's place, so that it is not downloaded at every run."""
        known = json.loads(self.successors.read_text()) if self.successors.exists() else {}
        self.successors.write_text(json.dumps({**known, pinned: [name, digest]}))

    def kept(self, name: str, digest: str) -> Path | None:
        """A package, or what was taken in its place, that was downloaded before and is whole."""
        known = json.loads(self.successors.read_text()) if self.successors.exists() else {}
        for candidate, wanted in ((name, digest), known.get(digest, (name, digest))):
            file = self.files / f"{candidate}.deb"
            if file.exists() and sha256(file) == wanted:
                return file
        return None


def sha256(file: Path) -> str:
    """A file's digest."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
