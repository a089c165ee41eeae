"""A small world to try Latchkey in: a cloud, a mail catcher, and a recorder that can be crashed and
rebooted. Everything runs on the loopback interface, below one folder.

A reboot is made as the kernel would show it: the recorder lives in a mount namespace of its own, where
the runtime folder is a tmpfs and /proc/sys/kernel/random/boot_id is the id of this boot. Another boot is
another namespace: an empty tmpfs, another id. The product knows nothing of this.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
# The cloud's recovery mailbox.
RECOVERY_MAILBOX = "recovery@latchkey.example"
READY_S_MAX = 60
LOOK_S = 0.02
# What the daemon says once it answers. Its ports are open before that, and hold whoever connects.
DAEMON_READY = r"\bready\b.*fingerprint"
STOP_S_MAX = 15


class Trouble(Exception):
    """Why something cannot be done, in words for the person at the terminal."""


def expect(found, wanted, what: str):
    """Compares, and says what differs."""
    if found != wanted:
        raise Trouble(f"{what}: expected {wanted!r}, found {found!r}")


def run(*command: str | Path, log: Path, **options) -> str:
    """Runs a program to its end and gives its output; its complaints go to a log."""
    with log.open("a") as complaints:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            check=False,
            **options,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise Trouble(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{tail}")
    return done.stdout


class Ports:
    """Hands out ports on 127.0.0.1: the usual one if it is free, or else the next one that is."""

    def __init__(self):
        self.given: set[int] = set()

    def pick(self, usual: int, what: str = "") -> int:
        """A port. `what` is told to the person if it is not the usual one."""
        for port in range(usual, usual + 200):
            if port not in self.given and is_free(port):
                self.given.add(port)
                if port != usual and what:
                    print(f"    port {usual} is taken: the {what} uses {port}", flush=True)
                return port
        raise Trouble(f"no port between {usual} and {usual + 199} is free for the {what}")


def is_free(port: int) -> bool:
    """Whether one can listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Service:
    """A program that runs until it is stopped, with a log of its own."""

    def __init__(self, name: str, log: Path):
        self.name, self.log = name, log
        self.process: subprocess.Popen | None = None

    def start(self, command: list[str | Path], ports: list[int], says: str = ""):
        """Starts it, and waits until it accepts connections on all its ports and has said what it `says` then."""
        told_before = self.log.stat().st_size if self.log.exists() else 0
        # The service must not outlive us, however we end, and Ctrl-C is ours to handle.
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + READY_S_MAX

        def wait_for(happened, what: str):
            while not happened():
                if self.process.poll() is not None:
                    raise Trouble(f"the {self.name} ended at once:\n{self.last_lines()}")
                if time.monotonic() > until:
                    raise Trouble(f"the {self.name} does not {what}:\n{self.last_lines()}")

        for port in ports:
            wait_for(lambda port=port: accepts(port), f"listen on port {port}")
        if says:
            wait_for(lambda: self.has_said(says, told_before), "get ready")

    def has_said(self, pattern: str, since: int) -> bool:
        """Whether its log has a match after its first bytes; looks a moment later if not."""
        if re.search(pattern, self.log.read_bytes()[since:].decode(errors="replace")):
            return True
        time.sleep(LOOK_S)
        return False

    def last_lines(self) -> str:
        """The end of its log."""
        return "\n".join(f"      {line}" for line in self.log.read_text(errors="replace").splitlines()[-15:])

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stops it and gives its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Trouble(f"the {self.name} did not stop within {STOP_S_MAX} s; its log: {self.log}") from None
        finally:
            self.process = None


def accepts(port: int) -> bool:
    """Whether someone listens there; waits a moment for it, so that a loop of this spins slowly."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        time.sleep(0.02)
        return False


class Boot:
    """One boot of the recorder: an empty tmpfs at `runtime`, and a boot id of its own."""

    HOLDER = """
        set -eu
        mount -t tmpfs -o mode=0755,size=4m tmpfs "$1"
        if [ -n "$2" ]; then mount --bind "$2" /proc/sys/kernel/random/boot_id; fi
        echo ready
        exec cat
    """

    def __init__(self, runtime: Path, folder: Path):
        boot_id = folder / f"boot-{uuid.uuid4()}"
        boot_id.write_text(f"{uuid.uuid4()}\n")
        # It ends with us: `cat` reads our end of the pipe.
        self.holder = subprocess.Popen(
            [*unshare(), "sh", "-c", self.HOLDER, "boot", str(runtime), str(boot_id)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.holder.stdout and self.holder.stderr
        if self.holder.stdout.readline() != "ready\n":
            raise Trouble(f"cannot make a mount namespace: {self.holder.stderr.read().strip()}")

    def enter(self) -> list[str]:
        """What stands before a command that is to run in this boot."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        inside = ["nsenter", "--target", str(self.holder.pid), *user, "--mount", "--"]
        return [*inside, "setpriv", "--pdeathsig", "TERM", "--"]

    def path(self, inside: Path) -> Path:
        """A path of this boot, as seen from outside."""
        return Path(f"/proc/{self.holder.pid}/root{inside}")

    def end(self):
        """Power off: the tmpfs is gone with the namespace."""
        self.holder.kill()
        self.holder.wait()
        for pipe in (self.holder.stdin, self.holder.stdout, self.holder.stderr):
            if pipe:
                pipe.close()


class SharedBoot:
    """In the place of [`Boot`] where mount namespaces are not to be had: the machine's own boot id and
    tmpfs. It cannot be rebooted."""

    def __init__(self, runtime: Path):
        self.runtime = runtime
        runtime.mkdir(mode=0o755, exist_ok=True)

    def enter(self) -> list[str]:
        """What stands before a command that is to run in this boot."""
        return ["setpriv", "--pdeathsig", "TERM", "--"]

    def path(self, inside: Path) -> Path:
        """A path of this boot, as seen from outside."""
        return inside

    def end(self):
        """The tmpfs is the machine's own: we clear our part of it."""
        shutil.rmtree(self.runtime, ignore_errors=True)


def unshare() -> list[str]:
    """What stands before a command that is to have a mount namespace of its own."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "--propagation", "private", "--"]


def namespaces_work() -> bool:
    """Whether this machine lets us make mount namespaces and mount in them."""
    probe = [*unshare(), "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


NO_NAMESPACES = (
    "this machine lets nobody here make mount namespaces, which stand for the recorder's reboot. "
    "Run it as root, or in a container with CAP_SYS_ADMIN (docker run --privileged)"
)


def shared_tmpfs() -> Path:
    """A new folder on the machine's own tmpfs."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True, check=False)
    if kind.stdout.strip() != "tmpfs" or not os.access("/dev/shm", os.W_OK):
        raise Trouble(f"the recorder needs a tmpfs: {NO_NAMESPACES}, or with a tmpfs at /dev/shm")
    return Path(tempfile.mkdtemp(prefix="latchkey-", dir="/dev/shm"))


class Cloud:
    """`latchkey-cloud`, sending its mails to the mail catcher."""

    def __init__(
        self,
        programs: Path,
        folder: Path,
        port: int,
        smtp_port: int,
        operators_port: int = 0,
        devices: str = "",
        mailbox: str = "",
    ):
        self.program = programs / "latchkey-cloud"
        self.folder, self.port, self.operators_port = folder, port, operators_port
        self.config = folder / "cloud.toml"
        self.maildir = folder / "recovery"
        self.log = folder.parent / "cloud.log"
        self.service = Service("cloud", self.log)
        # The QR code names it, so it is what the browser opens.
        self.host = f"localhost:{port}"
        if not self.config.exists():
            where = ["--listen", f"127.0.0.1:{port}", "--smtp", f"127.0.0.1:{smtp_port}"]
            run(self.program, "init", "--data", folder, "--host", self.host, *where, log=self.log)
            if mailbox:
                with self.config.open("a") as config:
                    config.write(f'\n[mailbox]\naddress = "{mailbox}"\nmaildir = "{self.maildir}"\n')
            if operators_port:
                # A small window: a recorder comes back at once when the cloud was away.
                with self.config.open("a") as config:
                    config.write(f'\n[operators]\nlisten = "127.0.0.1:{operators_port}"\n')
                    config.write("\n[platform]\nheartbeat_s = 60\nreconnect_window_s = 1\n")
                    # An address for recorders alone, beside the one that it shares with browsers.
                    config.write(f'listen = ["{devices}"]\n' if devices else "")

    def start(self, *within: str):
        """Serves; within another program, if one is named."""
        command = ["setpriv", "--pdeathsig", "TERM", "--", *within, self.program, "serve", "--config", self.config]
        self.service.start(command, [self.port])

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"https://{self.host}/"

    @property
    def operators_address(self) -> str:
        """Where its operators look."""
        return f"http://127.0.0.1:{self.operators_port}/"

    def metrics(self) -> dict[str, float]:
        """Its counts, as monitoring reads them."""
        with urllib.request.urlopen(f"{self.operators_address}metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def command(self, *words: str | Path) -> str:
        """One of its commands, in words before and after `--config`."""
        return run(self.program, *words[:2], "--config", self.config, *words[2:], log=self.log)

    def sign(self, request: Path, *more: str) -> str:
        """What the factory gives for an identity request."""
        return self.command("factory", "sign", request, *more)


class Recorder:
    """`latchkeyd` on its board, factory-new unless its folder has a state already."""

    host = "127.0.0.1"

    def __init__(self, programs: Path, folder: Path, https_port: int, http_port: int, serial: str, board: str):
        self.program = programs / "latchkeyd"
        self.folder, self.https_port, self.http_port = folder, https_port, http_port
        self.serial, self.board_name = serial, board
        self.state = folder / "state"
        self.can_reboot = namespaces_work()
        self.runtime = folder / "runtime" if self.can_reboot else shared_tmpfs()
        self.log = folder.parent / "recorder.log"
        self.service = Service("recorder", self.log)
        self.boot: Boot | SharedBoot | None = None
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.runtime.mkdir(exist_ok=True)
        self.settings = folder / "settings.toml"
        self.settings.write_text(
            f'[device]\nserial = "{serial}"\n\n'
            f'[paths]\nstate = "{self.state}"\nruntime = "{self.runtime}"\n\n'
            f'[lan]\ninterfaces = ["lo"]\nhttps_port = {https_port}\nhttp_port = {http_port}\n\n'
            f"[console]\nuids = [{0 if self.can_reboot else os.geteuid()}]\n\n"
            # Root of a user namespace has no other user to become.
            "[privileges]\nuid = 0\ngid = 0\n"
        )
        self.arguments = ["--board", TOP / f"board/{board}.toml", "--settings", self.settings]

    def identify(self, cloud: Cloud, *more: str):
        """As in the factory: the recorder makes its key, the cloud signs it, the recorder keeps that."""
        request, identity = self.folder / "request.json", self.folder / "identity.json"
        request.write_text(run(self.program, "identity", "request", *self.arguments, log=self.log))
        identity.touch(mode=0o600)
        identity.write_text(cloud.sign(request, *more))
        run(self.program, "identity", "install", *self.arguments, identity, log=self.log)
        identity.unlink()

    def power_on(self):
        """Boots, and starts the daemon."""
        self.boot = Boot(self.runtime, self.folder) if self.can_reboot else SharedBoot(self.runtime)
        self.start()

    def start(self):
        """Starts the daemon in the present boot."""
        assert self.boot is not None
        command = [*self.boot.enter(), self.program, "run", *self.arguments]
        self.service.start(command, [self.https_port, self.http_port], says=DAEMON_READY)

    def crash(self):
        """kill -9, and a new start by what watches over the daemon."""
        self.service.stop(signal.SIGKILL)
        self.start()

    def power_off(self):
        """An orderly end, then the end of the boot."""
        self.service.stop()
        if self.boot is not None:
            self.boot.end()
            self.boot = None

    def reboot(self):
        """Off and on again."""
        if not self.can_reboot:
            raise Trouble(NO_NAMESPACES)
        self.power_off()
        self.power_on()

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"https://127.0.0.1:{self.https_port}/"

    def certificate(self) -> bytes:
        """Its self-made certificate, DER."""
        return ssl.PEM_cert_to_DER_cert((self.state / "web.crt").read_text())

    def fingerprint(self) -> str:
        """What a browser shows as SHA-256 of the certificate."""
        digest = hashlib.sha256(self.certificate()).hexdigest().upper()
        return ":".join(digest[at : at + 2] for at in range(0, 64, 2))


class MailCatcher:
    """The mail catcher, and what it caught."""

    def __init__(self, folder: Path, smtp_port: int, http_port: int):
        self.smtp_port, self.http_port = smtp_port, http_port
        self.service = Service("mail catcher", folder / "mail.log")
        self.maildir: Path | None = None
        self.seen = 0

    def start(self):
        """Serves."""
        program = Path(__file__).with_name("mailcatcher.py")
        ports = ["--smtp", str(self.smtp_port), "--http", str(self.http_port)]
        ports += ["--deliver", RECOVERY_MAILBOX, str(self.maildir)] if self.maildir else []
        command = ["setpriv", "--pdeathsig", "TERM", "--", "/usr/bin/python3", program, *ports]
        self.service.start(command, [self.smtp_port, self.http_port])

    @property
    def address(self) -> str:
        """Where a person reads."""
        return f"http://127.0.0.1:{self.http_port}/"

    def next_mail(self, wait_s: float = 30) -> dict:
        """The next mail that was not given yet; waits for it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=wait_s + 10)
        connection.request("GET", f"/api/mails?after={self.seen}&wait_s={wait_s}")
        mails = json.loads(connection.getresponse().read())
        connection.close()
        if not mails:
            raise Trouble(f"no mail came within {wait_s:.0f} s")
        self.seen = mails[0]["id"]
        return mails[0]


class World:
    """Cloud, mail catcher and recorder, below one folder."""

    def __init__(self, folder: Path, programs: Path, tell=lambda _text: None, board: str = "host"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.tell = folder, tell
        saved = folder / "ports.json"
        ports = Ports()
        wanted = {"recorder": 8443, "recorder's port without TLS": 8080, "cloud": 9443, "mailbox": 8025, "mail": 2525}
        wanted["operators' page"] = 9464
        # The recorder's identity names the cloud's address: a world that is opened again keeps its ports.
        if saved.exists():
            self.ports = json.loads(saved.read_text())
            taken = [f"{port} ({what})" for what, port in self.ports.items() if not is_free(port)]
            if taken:
                raise Trouble(f"the world in {folder} needs these ports, which are taken: {', '.join(taken)}")
        else:
            self.ports = {what: ports.pick(usual, what) for what, usual in wanted.items()}
        self.mail = MailCatcher(folder, self.ports["mail"], self.ports["mailbox"])
        operators = self.ports["operators' page"]
        self.cloud = Cloud(programs, folder / "cloud", self.ports["cloud"], self.ports["mail"], operators, "", RECOVERY_MAILBOX)
        self.mail.maildir = self.cloud.maildir
        self.recorder = Recorder(
            programs,
            folder / "recorder",
            self.ports["recorder"],
            self.ports["recorder's port without TLS"],
            serial="LK-DEMO-0001",
            board=board,
        )
        saved.write_text(json.dumps(self.ports))

    def start(self):
        """Starts everything; a recorder without an identity gets one first."""
        self.tell("mail catcher")
        self.mail.start()
        self.tell("cloud")
        self.cloud.start()
        if not (self.recorder.state / "identity.json").exists():
            self.tell("factory: the recorder's identity")
            self.recorder.identify(self.cloud)
        self.tell("recorder")
        self.recorder.power_on()

    def stop(self):
        """Stops everything, the recorder first; tells what did not stop in order."""
        for part in (self.recorder.power_off, self.cloud.service.stop, self.mail.service.stop):
            try:
                part()
            except Trouble as trouble:
                print(trouble, file=sys.stderr)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_):
        self.stop()
