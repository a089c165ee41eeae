"""The emulated board under power: QEMU, its serial console, and the networks around it."""

import json
import re
import subprocess
import threading
import time
from pathlib import Path

from image import Image
from world import Trouble, run

ADDRESS, GATEWAY, BITS = "10.77.0.2", "10.77.0.1", 24
BOOT_S_MAX = 120
READY = r"\] info +ready"


class Emulator:
    """One board: an image, a data partition, a tap device that is there already."""

    def __init__(self, image: Image, data: Path, tap: str, log: Path):
        self.image, self.data, self.tap, self.log = image, data, tap, log
        self.process: subprocess.Popen | None = None
        self.lines: list[str] = []
        self.news = threading.Condition()

    def command(self) -> list[str | Path]:
        """QEMU's arguments: a Cortex-A7 with 256 MB, the data partition, one network interface."""
        words = f"console=ttyAMA0 quiet latchkey.address={ADDRESS}/{BITS} latchkey.gateway={GATEWAY}"
        return [
            *("qemu-system-arm", "-M", "virt,highmem=off", "-cpu", "cortex-a7", "-m", "256"),
            *("-kernel", self.image.kernel, "-initrd", self.image.initramfs, "-append", words),
            *("-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot"),
            *("-drive", f"if=none,id=d,file={self.data},format=raw", "-device", "virtio-blk-pci,drive=d"),
            *("-netdev", f"tap,id=n,ifname={self.tap},script=no,downscript=no"),
            *("-device", "virtio-net-pci,netdev=n,romfile=", "-device", "virtio-rng-pci"),
        ]

    def power_on(self) -> float:
        """Boots, and gives the seconds until the daemon said that it is ready."""
        started = time.monotonic()
        self.lines.clear()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *map(str, self.command())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self.read, args=(self.process,), daemon=True).start()
        self.wait_for(READY)
        return time.monotonic() - started

    def read(self, process: subprocess.Popen):
        """Keeps what the serial console says."""
        assert process.stdout
        with self.log.open("a") as log:
            for line in process.stdout:
                log.write(line)
                log.flush()
                with self.news:
                    self.lines.append(line.rstrip())
                    self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def wait_for(self, pattern: str, wait_s: float = BOOT_S_MAX) -> str:
        """A line of the console that matches; waits for it."""
        until = time.monotonic() + wait_s
        seen = 0
        with self.news:
            while True:
                for line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return line
                seen = len(self.lines)
                ended = self.process is None or self.process.poll() is not None
                if ended or not self.news.wait(max(0.0, until - time.monotonic())):
                    why = "the emulator ended" if ended else f"{wait_s:.0f} s went by"
                    tail = "\n".join(f"      {line}" for line in self.lines[-15:])
                    raise Trouble(f"{why}, and the console did not say `{pattern}`:\n{tail}")

    def cut_power(self):
        """Off, without a word to anybody. What the board gave to its disk before is kept."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def ip(*arguments: str, log: Path, within: str = ""):
    """Runs `ip`, in a network namespace if one is named."""
    run("ip", *(("-n", within) if within else ()), *arguments, log=log)


def make_tap(name: str, log: Path):
    """A tap device, up."""
    ip("tuntap", "add", "dev", name, "mode", "tap", log=log)
    ip("link", "set", name, "up", log=log)


def make_networks(log: Path) -> str:
    """In the network namespace that we are in: the board's own link as a bridge, a client `near` on it, and
    a client `far` behind a router that does not masquerade. Gives the board's tap device."""
    ip("link", "set", "lo", "up", log=log)
    ip("link", "add", "link0", "type", "bridge", log=log)
    ip("link", "set", "link0", "up", log=log)
    make_tap("tap0", log)
    ip("link", "set", "tap0", "master", "link0", log=log)
    for name in ("near", "router", "far"):
        ip("netns", "add", name, log=log)
        ip("link", "set", "lo", "up", log=log, within=name)

    def plug(name: str, address: str):
        ip("link", "add", f"to-{name}", "type", "veth", "peer", "eth0", "netns", name, log=log)
        ip("link", "set", f"to-{name}", "up", "master", "link0", log=log)
        ip("address", "add", address, "dev", "eth0", log=log, within=name)
        ip("link", "set", "eth0", "up", log=log, within=name)

    plug("near", "10.77.0.5/24")
    plug("router", f"{GATEWAY}/{BITS}")
    ip("link", "add", "eth1", "netns", "router", "type", "veth", "peer", "eth0", "netns", "far", log=log)
    for name, device, address in (("router", "eth1", "10.88.0.1/24"), ("far", "eth0", "10.88.0.5/24")):
        ip("address", "add", address, "dev", device, log=log, within=name)
        ip("link", "set", device, "up", log=log, within=name)
    ip("route", "add", "default", "via", "10.88.0.1", log=log, within="far")
    run("ip", "netns", "exec", "router", "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", log=log)
    return "tap0"


def ask(client: str, method: str, path: str, body: dict | None = None, log: Path = Path("/dev/null")) -> tuple[int, dict]:
    """One HTTPS request to the board from a client's namespace: status, JSON. Secrets go by standard
    input."""
    command = ["ip", "netns", "exec", client, "curl", "--silent", "--show-error", "--insecure", "--max-time", "30"]
    command += ["--request", method, "--write-out", "\n%{http_code}"]
    if body is not None:
        command += ["--header", "Content-Type: application/json", "--data", "@-"]
    command.append(f"https://{ADDRESS}/api/v1{path}")
    answer = run(*command, log=log, input=json.dumps(body or {}))
    content, _, status = answer.rpartition("\n")
    return int(status), json.loads(content) if content.strip() else {}
