"""What the emulated board boots: a kernel and BusyBox from Debian's armhf archive, an initramfs with the
daemon, and a data partition that outlives a boot."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

from world import TOP, Trouble, run

MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "virtio-rng", "ext4")
PINS = TOP / "scripts/qemu-packages.txt"
DATA_MIB = 32


def pins() -> dict[str, tuple[str, str]]:
    """Package -> version, SHA-256."""
    lines = (line.split() for line in PINS.read_text().splitlines() if line and not line.startswith("#"))
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

    def fetch(self) -> list[Path]:
        """The pinned packages, downloaded unless they are here."""
        wanted = pins()
        kept = [self.kept(name, digest) for name, (_, digest) in wanted.items()]
        if all(kept):
            return kept
        self.apt("apt-get", "-q", "update")
        found = []
        for name, (version, digest) in wanted.items():
            kernel = re.fullmatch(r"linux-image-[\d.]+-\d+-(\w+)", name)
            present = name
            if kernel:
                depends = self.apt("apt-cache", "depends", f"linux-image-{kernel[1]}")
                present = re.search(r"Depends: (linux-image-\S+)", depends)[1]
            for old in self.files.glob(f"{present}_*"):
                old.unlink()
            self.apt("apt-get", "-q", "download", present)
            file = next(self.files.glob(f"{present}_*.deb"))
            if sha256(file) != digest:
                now = self.apt("dpkg-deb", "--field", str(file), "Version").strip()
                if (present, now) == (name, version):
                    raise Trouble(f"{file} is not what {PINS.name} has for {name} {version}")
                print(f"  ! the archive has {present} {now} now, {PINS.name} names {name} {version}", flush=True)
            target = file.with_name(f"{present}.deb")
            file.replace(target)
            found.append(target)
        return found

    def kept(self, name: str, digest: str) -> Path | None:
        """A package that was downloaded before, and is whole."""
        file = self.files / f"{name}.deb"
        return file if file.exists() and sha256(file) == digest else None


def sha256(file: Path) -> str:
    """A file's digest."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


class Image:
    """Kernel and initramfs, below one folder."""

    def __init__(self, folder: Path, program: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.program = folder, program
        self.log = folder / "image.log"
        self.initramfs = folder / "initramfs.gz"
        self.system = folder / "system"

    @property
    def kernel(self) -> Path:
        """Debian's kernel."""
        return next(self.system.glob("boot/vmlinuz-*"))

    def make(self):
        """Brings both up to date."""
        packages = Archive(self.folder).fetch()
        stamp = self.folder / "system.stamp"
        digests = " ".join(sha256(package) for package in packages)
        if not stamp.exists() or stamp.read_text() != digests:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(self.system, ignore_errors=True)
            for package in packages:
                run("dpkg-deb", "-x", package, self.system, log=self.log)
            # Debian's packages come without the list of what depends on what.
            run("depmod", "-b", self.system, self.release(), log=self.log)
            stamp.write_text(digests)
        self.pack()

    def release(self) -> str:
        """The kernel's release."""
        return next(self.system.glob("lib/modules/*")).name

    def modules(self) -> list[Path]:
        """The modules that the board needs, each after those that it needs."""
        needed: list[Path] = []
        for name in MODULES:
            command = ["modprobe", "-d", self.system, "-S", self.release(), "--show-depends", name]
            for line in run(*command, log=self.log).splitlines():
                path = Path(line.split()[1]) if line.startswith("insmod ") else None
                # Those are checksums by instructions that only ARMv8 has.
                if path and path not in needed and not path.name.endswith("-arm-ce.ko"):
                    needed.append(path)
        return needed

    def pack(self):
        """Makes the initramfs anew: it is a matter of a second."""
        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("bin", "sbin", "dev", "proc", "sys", "run", "data", "tmp", "etc/init.d", "usr/sbin", "lib/modules"):
            (root / folder).mkdir(parents=True)
        shutil.copy(self.system / "bin/busybox", root / "bin/busybox")
        (root / "init").symlink_to("bin/busybox")
        (root / "bin/sh").symlink_to("busybox")
        for name in ("mount", "umount", "insmod", "ip", "cat", "cut", "reboot", "poweroff", "ls", "ps", "kill", "dmesg"):
            (root / "bin" / name).symlink_to("busybox")
        modules = self.modules()
        for module in modules:
            shutil.copy(module, root / "lib/modules" / module.name)
        (root / "lib/modules/order").write_text("".join(f"{module.name}\n" for module in modules))
        shutil.copy(TOP / "board/qemu/inittab", root / "etc/inittab")
        shutil.copy(TOP / "board/qemu/rcS", root / "etc/init.d/rcS")
        (root / "etc/init.d/rcS").chmod(0o755)
        shutil.copytree(TOP / "board", root / "etc/latchkey", ignore=shutil.ignore_patterns("qemu", "service"))
        shutil.copy(self.program, root / "usr/sbin/latchkeyd")
        names = "\0".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
        command = ["cpio", "--create", "--format=newc", "--owner=0:0", "--null", "--quiet"]
        packed = subprocess.run(command, input=names.encode(), cwd=root, capture_output=True, check=True).stdout
        self.initramfs.write_bytes(gzip.compress(packed, compresslevel=1))


def make_data(file: Path, serial: str, log: Path):
    """A new data partition, ext4: a factory-new board's."""
    content = file.with_suffix(".content")
    shutil.rmtree(content, ignore_errors=True)
    (content / "latchkey").mkdir(parents=True)
    (content / "latchkey").chmod(0o700)
    (content / "settings.toml").write_text(f'[device]\nserial = "{serial}"\n')
    file.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", content, file, f"{DATA_MIB}M", log=log)
    shutil.rmtree(content)
