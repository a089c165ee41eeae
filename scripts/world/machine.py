"""The two machines that the emulated board can be: what QEMU is told, and what the kernel is told.

`virt` is QEMU's generic machine, with an ext4 data partition on a block device. `flash` is the ASPEED AST2600
evaluation board, which has a raw NOR flash chip behind SPI, as cheap recorders do: UBI and UBIFS.
"""

from dataclasses import dataclass
from pathlib import Path

from networks import ADDRESS, BITS, GATEWAY, TAP

MEMORY_MIB = 256
# A chip that the kernel erases in blocks of 64 KiB; UBIFS has no use for smaller ones.
FLASH_CHIP = "s25fl129p1"
FLASH_MIB = 16
ERASE_KIB = 64


@dataclass
class Machine:
    """One board as QEMU builds it. The folder takes its sockets."""

    folder: Path
    kind: str = "virt"
    disk: str = ""
    """What holds the data: a file, or the address of a block server."""
    network: str = f"tap,id=n,ifname={TAP},script=no,downscript=no"
    address: str = f"{ADDRESS}/{BITS}"
    gateway: str = GATEWAY
    words: tuple[str, ...] = ()
    """More words for the kernel."""
    arguments: tuple[str, ...] = ()
    """More arguments for QEMU."""
    random: bool = True
    """Whether it has a source of random numbers from its start."""
    shell: bool = True
    """Whether the test may command it by a second serial line. The flash machine has none."""

    def __post_init__(self):
        self.shell = self.shell and self.kind == "virt"

    @property
    def qmp(self) -> Path:
        """The socket of QEMU's machine protocol."""
        return self.folder / "qmp.socket"

    @property
    def shell_socket(self) -> Path:
        """The socket of the test's serial line."""
        return self.folder / "shell.socket"

    def command(self, kernel: Path, initramfs: Path, device_tree: Path) -> list[str]:
        """QEMU's command line."""
        words = ["quiet", f"latchkey.machine={self.kind}", f"latchkey.address={self.address}"]
        if self.gateway:
            words.append(f"latchkey.gateway={self.gateway}")
        command = ["qemu-system-arm", "-m", str(MEMORY_MIB), "-kernel", str(kernel), "-initrd", str(initramfs)]
        command += ["-monitor", "none", "-qmp", f"unix:{self.qmp},server=on,wait=off"]
        command += self.flash(device_tree, words) if self.kind == "flash" else self.virt(words)
        if "-serial" not in self.arguments:
            command += ["-serial", "stdio"]
        if "-display" not in self.arguments:
            command += ["-display", "none"]
        return [*command, "-append", " ".join([*words, *self.words]), *self.arguments]

    def virt(self, words: list[str]) -> list[str]:
        """A Cortex-A7, virtio devices."""
        words.insert(0, "console=ttyAMA0")
        dice = "on" if self.random else "off"
        command = ["-M", f"virt,highmem=off,dtb-randomness={dice}", "-cpu", "cortex-a7"]
        if self.random:
            command += ["-device", "virtio-rng-pci"]
        else:
            words += ["random.trust_cpu=off", "random.trust_bootloader=off"]
        command += ["-drive", f"if=none,id=d,format=raw,file={self.disk}", "-device", "virtio-blk-pci,drive=d"]
        command += ["-netdev", self.network, "-device", "virtio-net-pci,netdev=n,romfile="]
        if self.shell:
            command += ["-chardev", f"socket,id=s,path={self.shell_socket},server=on,wait=off"]
            command += ["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=s"]
        return command

    def flash(self, device_tree: Path, words: list[str]) -> list[str]:
        """Two Cortex-A7, the second flash controller's chip as the data partition."""
        # The windows onto both controllers are larger than what the kernel sets aside for mappings.
        words[0:0] = ["console=ttyS4,115200", "vmalloc=640M"]
        command = ["-M", f"ast2600-evb,spi-model={FLASH_CHIP}", "-dtb", str(device_tree)]
        command += ["-drive", f"if=mtd,index=1,format=raw,file={self.disk}"]
        return [*command, "-nic", self.network.replace("id=n,", "")]
