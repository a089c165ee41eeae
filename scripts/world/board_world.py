"""The world of the demo with the emulated board in the recorder's place."""

import base64
import hashlib
import re
import ssl
from pathlib import Path

from emulator import READY, Emulator
from image import Image
from machine import Machine
from networks import ADDRESS, OURS
from world import Cloud, MailCatcher, Ports, Trouble

DAEMON = "latchkeyd {} --board /etc/latchkey/qemu-armv7.toml --settings /data/settings.toml"


class BoardRecorder:
    """The recorder of a world, as an emulated board."""

    can_reboot = True
    host = ADDRESS
    https_port = 443

    def __init__(self, image: Image, machine: Machine, log: Path):
        self.emulator = Emulator(image, machine, log)
        self.known: tuple[str, bytes] | None = None

    def certificate(self) -> bytes:
        """Its certificate, DER: the one whose fingerprint stands on the serial console."""
        lines = [line for line in self.emulator.lines if re.search(READY, line)]
        said = re.search(r"fingerprint=\W*((?:[0-9A-F]{2}:){31}[0-9A-F]{2})", lines[-1]) if lines else None
        if said is None:
            raise Trouble(f"the console does not tell the certificate's fingerprint:\n{self.emulator.tail()}")
        if self.known is None or self.known[0] != said[1]:
            shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((self.host, self.https_port), timeout=60))
            digest = hashlib.sha256(shown).hexdigest().upper()
            if digest != said[1].replace(":", ""):
                raise Trouble(f"the board shows a certificate {digest}, and its console names {said[1]}")
            self.known = (said[1], shown)
        return self.known[1]

    def identify(self, cloud: Cloud, folder: Path):
        """As in the factory: the board makes its key, the cloud signs it, the board keeps that."""
        request = folder / "request.json"
        request.write_text(self.emulator.must(DAEMON.format("identity request") + " 2>/dev/null"))
        identity = base64.b64encode(cloud.sign(request).encode()).decode()
        install = DAEMON.format("identity install") + " /run/identity.json 2>&1"
        # On the tmpfs: what is signed is for this device alone, and so is the file.
        self.emulator.must(f"umask 077; echo {identity} | busybox base64 -d >/run/identity.json")
        self.emulator.must(f"{install}; status=$?; rm /run/identity.json; (exit $status)")
        self.stop_daemon("TERM")

    def stop_daemon(self, signal: str) -> int:
        """Sends the daemon a signal; init starts it again. Gives the new one's process id."""
        before = self.emulator.mark()
        old = self.emulator.must("pidof latchkeyd")
        self.emulator.must(f"kill -{signal} {old}")
        self.emulator.wait_for(READY, before)
        new = self.emulator.must("pidof latchkeyd")
        if set(new.split()) & set(old.split()):
            raise Trouble(f"the daemon was not started anew: process {old} before, {new} after SIG{signal}")
        return int(new.split()[0])

    def crash(self):
        """kill -9 of the daemon; init starts it again."""
        self.stop_daemon("KILL")

    def reboot(self):
        """An orderly reboot, by its init."""
        self.emulator.soft_reboot()

    def cut_power(self):
        """Off and on again, without a word to anybody."""
        self.emulator.cut_power()
        self.emulator.power_on()


class BoardWorld:
    """A cloud and a mail catcher on this machine, and the board."""

    def __init__(self, folder: Path, programs: Path, recorder: BoardRecorder):
        self.folder, self.recorder = folder, recorder
        ports = Ports()
        usual = (2525, 8025, 9443, 9464, 9444)
        smtp, mailbox, cloud, operators, devices = (ports.pick(port) for port in usual)
        self.devices = f"{OURS}:{devices}"
        self.mail = MailCatcher(folder, smtp, mailbox)
        self.cloud = Cloud(programs, folder / "cloud", cloud, smtp, operators, self.devices)

    def __enter__(self):
        self.mail.start()
        self.cloud.start()
        return self

    def __exit__(self, *_):
        self.recorder.emulator.cut_power()
        self.cloud.service.stop()
        self.mail.service.stop()
