"""What the emulated board boots: a kernel and BusyBox from Debian's armhf archive, an initramfs with the
daemon, and a data partition that outlives a boot."""

import gzip
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from machine import ERASE_KIB, FLASH_MIB
from packages import Archive, sha256
from world import TOP, run

# What is inserted at the start of each machine, with what it needs. Those of `screen` are inserted where
# the kernel's command line asks for a screen.
MODULES = {
    "virt": ("virtio_pci", "virtio_net", "virtio_blk", "virtio-rng", "virtio_console", "ext4", "softdog"),
    # What is plugged into it while it runs: mouse, keyboard, stick.
    "screen": ("virtio-gpu", "cirrus", "virtio_input", "evdev", "xhci-pci", "usbhid", "hid-generic", "usb-storage", "sd_mod", "vfat",
               "nls_cp437", "nls_ascii"),
    "flash": ("mdio-aspeed", "realtek", "ftgmac100", "spi-aspeed-smc", "spi-nor", "deflate", "zstd", "ubi", "ubifs", "softdog"),
}
# rcS inserts these itself, with parameters.
BY_HAND = ("ubi.ko", "ubifs.ko", "softdog.ko")
APPLETS = (
    "cat chmod chown cp cut date dd dmesg getty grep head id ip insmod kill killall ln login ls mkdir mount mv passwd "
    "poweroff printf ps pidof reboot rm sed setsid sleep stat stty su sync tail tee test top touch umount uptime wc"
).split()
DATA_MIB = 32


class Image:
    """Kernel and initramfs, below one folder."""

    def __init__(self, folder: Path, program: Path, panel: Path | None = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.program, self.panel = folder, program, panel
        self.log = folder / "image.log"
        # With its screen or without: one may be made while the other one runs.
        self.kind = "screen" if panel else "plain"
        self.initramfs = folder / f"initramfs-{self.kind}.gz"
        self.system = folder / "system"

    @property
    def kernel(self) -> Path:
        """Debian's kernel."""
        return next(self.system.glob("boot/vmlinuz-*"))

    @property
    def device_tree(self) -> Path:
        """What the flash machine is made of, for the kernel; the other one tells that itself."""
        return next(self.system.glob("usr/lib/linux-image-*/aspeed-ast2600-evb.dtb"))

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

    def modules(self, names: tuple[str, ...]) -> list[Path]:
        """These modules, each after those that it needs."""
        needed: list[Path] = []
        for name in names:
            command = ["modprobe", "-d", self.system, "-S", self.release(), "--show-depends", name]
            for line in run(*command, log=self.log).splitlines():
                path = Path(line.split()[1]) if line.startswith("insmod ") else None
                # Those are checksums by instructions that only ARMv8 has.
                if path and path not in needed and not path.name.endswith("-arm-ce.ko"):
                    needed.append(path)
        return needed

    def assemble(self, source: Path, program: Path):
        """A small program for the board."""
        made = self.folder / f"assembled-{self.kind}.o"
        run("arm-linux-gnueabihf-as", "-o", made, source, log=self.log)
        run("arm-linux-gnueabihf-ld", "-o", program, made, log=self.log)
        made.unlink()

    def pack(self):
        """Makes the initramfs anew: it is a matter of a second."""
        root = self.folder / f"root-{self.kind}"
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("bin", "sbin", "dev", "proc", "sys", "run", "data", "tmp", "etc/init.d", "usr/sbin", "lib/modules"):
            (root / folder).mkdir(parents=True)
        shutil.copy(self.system / "bin/busybox", root / "bin/busybox")
        shutil.copy(self.system / "sbin/e2fsck.static", root / "sbin/e2fsck")
        (root / "init").symlink_to("bin/busybox")
        (root / "bin/sh").symlink_to("busybox")
        for name in APPLETS:
            (root / "bin" / name).symlink_to("busybox")
        for machine, names in MODULES.items():
            modules = self.modules(names)
            for module in modules:
                shutil.copy(module, root / "lib/modules" / module.name)
            order = [module.name for module in modules if module.name not in BY_HAND]
            (root / f"lib/modules/order.{machine}").write_text("".join(f"{name}\n" for name in order))
        for file in ("inittab", "issue", "e2fsck.conf"):
            shutil.copy(TOP / "board/qemu" / file, root / "etc" / file)
        for script in ("rcS", "latchkeyd", "panel", "console"):
            shutil.copy(TOP / "board/qemu" / script, root / "etc/init.d" / script)
            (root / "etc/init.d" / script).chmod(0o755)
        self.assemble(TOP / "board/qemu/set-clock.S", root / "bin/set-clock")
        shutil.copytree(TOP / "board", root / "etc/latchkey", ignore=shutil.ignore_patterns("qemu", "service", "buildroot"))
        # Whatever mask the files were checked out with: a hook that others can write to is not run.
        for hook in (root / "etc/latchkey/hooks", *(root / "etc/latchkey/hooks").iterdir()):
            hook.chmod(0o755)
        shutil.copy(self.program, root / "usr/sbin/latchkeyd")
        if self.panel is not None:
            shutil.copy(self.panel, root / "usr/sbin/latchkey-panel")
        names = "\0".join(sorted(str(path.relative_to(root)) for path in root.rglob("*")))
        command = ["cpio", "--create", "--format=newc", "--owner=0:0", "--null", "--quiet"]
        packed = subprocess.run(command, input=names.encode(), cwd=root, capture_output=True, check=True).stdout
        self.initramfs.write_bytes(gzip.compress(packed, compresslevel=1))


def make_data(file: Path, settings: str, log: Path, flash: bool = False, more: Sequence[Path] = ()):
    """A new data partition, a factory-new board's: ext4, or a flash chip's content with UBI and UBIFS.
    The folders of `more` are on it too."""
    content = file.with_suffix(".content")
    shutil.rmtree(content, ignore_errors=True)
    (content / "latchkey").mkdir(parents=True)
    (content / "latchkey").chmod(0o700)
    (content / "settings.toml").write_text(settings)
    for folder in more:
        shutil.copytree(folder, content / folder.name)
    file.unlink(missing_ok=True)
    if flash:
        make_flash(file, content, log)
    else:
        run("mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", content, file, f"{DATA_MIB}M", log=log)
        # Whoever makes it: on the board everything is root's.
        owners = [f"set_inode_field {path} {which} 0\n" for path in ("latchkey", "settings.toml") for which in ("uid", "gid")]
        run("debugfs", "-w", "-f", "-", file, log=log, input="".join(owners))
    shutil.rmtree(content)


def make_flash(file: Path, content: Path, log: Path):
    """A NOR chip with one UBI volume `data` over all of it, and UBIFS in that."""
    # Both headers of an eraseblock stand before its data, 64 bytes each.
    block_bytes = ERASE_KIB * 1024 - 2 * 64
    blocks = FLASH_MIB * 1024 // ERASE_KIB
    tree, volume = file.with_suffix(".ubifs"), file.with_suffix(".ini")
    options = ["-m", "8", "-e", str(block_bytes), "-c", str(blocks), "--squash-uids", "-r", content, "-o", tree]
    run("mkfs.ubifs", *options, log=log)
    words = {"mode": "ubi", "image": tree, "vol_id": 0, "vol_type": "dynamic", "vol_name": "data"}
    words |= {"vol_size": f"{tree.stat().st_size}", "vol_flags": "autoresize"}
    volume.write_text("[data]\n" + "".join(f"{key}={value}\n" for key, value in words.items()))
    run("ubinize", "-o", file, "-m", "1", "-p", f"{ERASE_KIB}KiB", volume, log=log)
    with file.open("ab") as chip:
        chip.write(b"\xff" * (FLASH_MIB * 2**20 - chip.tell()))
    for made in (tree, volume):
        made.unlink()
