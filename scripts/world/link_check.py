"""The platform link between the real recorder and the real cloud: off, online, a code sent without a phone,
every way of being cut off, and back."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from client import Api
from world import Cloud, Ports, Recorder, Trouble, expect, run

if TYPE_CHECKING:
    from check import Check

WAIT_S_MAX = 120
LOOK_S = 0.1
ONE_ONLINE = r'id="online">1<'
BOUNCING_EMAIL = "bounce@example.org"


def wait_for(look, wanted, what: str, wait_s: float = WAIT_S_MAX):
    """Looks again and again until what is found is as wanted; gives it."""
    until = time.monotonic() + wait_s
    while not wanted(found := look()):
        if time.monotonic() > until:
            raise Trouble(f"{what}: not within {wait_s} s; the last found: {found!r}")
        time.sleep(LOOK_S)
    return found


def platform(device: Api) -> dict:
    """Platform access, as a recorder tells it."""
    return device.must("GET", "/platform").json()


def is_online(device: Api, what: str) -> dict:
    """Waits until a recorder says that it is online; does not wait for its next attempt."""

    def look() -> dict:
        found = platform(device)
        if found["next_try_in_s"]:
            device.must("POST", "/platform/attempt")
        return found

    return wait_for(look, lambda found: found["state"] == "online", what)


def is_offline(device: Api, reasons: set[str], what: str) -> dict:
    """Waits until a recorder says that it is offline, for one of these reasons."""
    return wait_for(
        lambda: platform(device), lambda found: found["state"] == "offline" and found["reason"] in reasons, what
    )


def remote_ports(pid: int) -> set[int]:
    """The remote ports of a process's TCP connections."""
    own = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # closed while we looked
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in own:
                ports.add(int(fields[2].rpartition(":")[2], 16))
    return ports


def key_id(link: str) -> str:
    """The key that a QR code's link is sealed to: bytes 3 to 6, of which 7 are 17 digits."""
    return int(link.partition("#")[2][:17]).to_bytes(7, "big")[3:].hex()


class LinkCheck:
    """The steps, after those of a reset. The recorder is active, has a confirmed way in, and nobody is
    signed in."""

    def __init__(self, check: Check):
        self.check, self.world, self.device = check, check.world, check.device
        self.cloud = check.world.cloud

    def run(self):
        """All of it."""
        self.check.sign_in()
        self.off()
        self.online()
        self.send()
        self.confirm()
        self.bounce()
        self.cloud_killed()
        self.cloud_restarted()
        self.duplicate()
        self.revoked()
        self.keys()
        self.other_cloud()
        self.check.sign_out()

    def set(self, enabled: bool, server: str | None = None) -> dict:
        """Platform access on or off."""
        return self.device.must("PUT", "/platform", {"enabled": enabled, "server": server}).json()

    def off(self):
        """Switched off, nobody is called: not the cloud, and not a server that waits for it."""
        self.check.step = "platform access switched off"
        with socket.create_server(("127.0.0.1", 0)) as waiting:
            waiting.setblocking(False)
            port = waiting.getsockname()[1]
            expect(platform(self.device)["state"], "off", "state of a factory-new platform access")
            expect(self.set(False, f"127.0.0.1:{port}")["state"], "off", "state with a server, switched off")
            self.device.must("POST", "/platform/attempt")
            self.world.recorder.crash()
            self.check.sign_in()
            self.device.must("POST", "/platform/attempt")
            expect(platform(self.device)["state"], "off", "state after a crash")
            pid = self.world.recorder.service.pid
            expect(remote_ports(pid) & {port, self.cloud.port}, set(), "connections of the recorder")
            try:
                waiting.accept()
                raise Trouble("the recorder called a server while platform access was off")
            except BlockingIOError:
                pass
            # It would have been seen: the same server is called once access is on.
            self.set(True, f"127.0.0.1:{port}")
            waiting.settimeout(WAIT_S_MAX)
            waiting.accept()[0].close()
            is_offline(self.device, {"tls"}, "a server that closes at once")
        self.check.done("platform access off: nobody was called; on, with another server: it was, and the reason shown")

    def online(self):
        """With the address of its identity the recorder comes online."""
        self.check.step = "platform access switched on"
        self.set(True)
        found = is_online(self.device, "online")
        expect((found["connects_to"], found["reason"]), (self.cloud.host, None), "platform access")
        expect(remote_ports(self.world.recorder.service.pid) >= {self.cloud.port}, True, "a connection to the cloud")
        metrics = self.cloud.metrics()
        expect(metrics["latchkey_devices_connected"], 1, "devices that the cloud counts")
        wait_for(self.operators, lambda page: re.search(ONE_ONLINE, page), "the operators' page counts one online")
        self.check.done("platform access on: registered; the operators' page counts it")

    def operators(self) -> str:
        """The page for the cloud's operators."""
        with urllib.request.urlopen(self.cloud.operators_address, timeout=30) as answer:
            return answer.read().decode()

    def heartbeat(self):
        """A beat comes within the interval that the cloud named; a connection that is idle has nothing else."""
        self.check.step = "a heartbeat"
        wait_for(
            lambda: self.cloud.metrics()["latchkey_heartbeats_total"], lambda beats: beats >= 1, "a heartbeat"
        )
        expect(platform(self.device)["heard_ago_s"] < 60, True, "the answer to a heartbeat was heard")
        self.check.done("a heartbeat within the interval, and its answer heard")

    def mail_of(self, state: str) -> dict:
        """Waits until the mail of the live challenge is so far."""
        return wait_for(
            lambda: self.device.must("GET", "/reset/challenge/send").json(),
            lambda mail: mail["state"] == state,
            f"the mail is {state}",
        )

    def send(self):
        """A code without a phone."""
        self.check.step = "send the code now"
        self.check.forget()
        nothing = {"state": None, "reason": None}
        expect(self.device.must("GET", "/reset/challenge/send").json(), nothing, "a mail that nobody sent")
        sent = self.device.must("POST", "/reset/challenge/send").json()
        expect(sent["state"] in ("queued", "accepted"), True, f"the answer to sending: {sent}")
        code = self.check.code_in_mail(self.check.tag)
        self.mail_of("accepted")
        self.check.set_password(self.check.verify(code))
        self.check.sign_in()
        for about in ("requested", "completed"):
            self.check.notice(about, self.check.email)
        self.check.done("sent the code without a phone: queued, mailed, accepted; it set a new password, and the owner was told")

    def confirm(self):
        """The reserved email is confirmed by a code of its own."""
        self.check.step = "confirm the reserved email"
        path = "/admin/reserved-email/confirmation"
        expect(self.check.describe()["email_confirmed"], False, "a new address is confirmed")
        asked = self.device.must("POST", path, {}).json()
        self.device.must("POST", f"{path}/send")
        code = self.check.code_in_mail(asked["tag"])
        self.device.refused("POST", "/reset/verification", {"code": code}, "no-challenge")
        self.device.must("POST", f"{path}/verification", {"code": code})
        expect(self.check.describe()["email_confirmed"], True, "the address is confirmed")
        self.check.done("confirmed the reserved email with a code that opened nothing else")

    def bounce(self):
        """A mailbox that does not exist."""
        self.check.step = "a code to a mailbox that does not exist"
        before = self.check.email
        self.check.change_email(BOUNCING_EMAIL)
        self.check.notice("changed", before)
        self.check.forget()
        self.device.must("POST", "/reset/challenge/send")
        expect(self.mail_of("bounced")["reason"], "mailbox-unknown", "why the mail came back")
        refusal = self.device.refused("POST", "/reset/challenge/send", None, "platform-refused")
        expect(refusal["reason"], "resend-too-early", "what sending again at once is")
        self.check.change_email(before)
        self.check.done("a code to a mailbox that does not exist: bounced, with the reason, and not sent again at once")

    def cloud_killed(self):
        """kill -9 of the cloud; everything but the link goes on."""
        self.check.step = "a cloud that is killed"
        self.cloud.service.stop(signal.SIGKILL)
        is_offline(self.device, {"lost", "tcp"}, "offline once the cloud is killed")
        self.check.forget()
        self.device.refused("POST", "/reset/challenge/send", None, "platform-offline")
        self.cloud.start()
        is_online(self.device, "online once the cloud is back")
        self.check.done("the cloud killed: offline with the reason, the QR code still there; started: online")

    def cloud_restarted(self):
        """An orderly restart of the cloud asks everyone to come back, and they do so by themselves."""
        self.check.step = "a cloud that is restarted"
        self.cloud.service.stop()
        self.cloud.start()
        is_online(self.device, "online after a restart of the cloud")
        self.check.done("the cloud restarted in order: back online")

    def duplicate(self):
        """A copy of the recorder's flash in another recorder."""
        self.check.step = "a copied identity"
        recorder, ports = self.world.recorder, Ports()
        places = [ports.pick(8543), ports.pick(8180)]
        copy = Recorder(recorder.program.parent, self.world.folder / "copy", *places, recorder.serial, recorder.board_name)
        shutil.copytree(recorder.state, copy.state, dirs_exist_ok=True)
        copy.power_on()
        try:
            api = Api(copy.https_port, copy.certificate)
            api.session = api.must("POST", "/session", {"password": self.check.password}).json()["session"]
            api.must("POST", "/platform/attempt")
            found = is_offline(api, {"duplicate"}, "a copy of the recorder is refused")
            expect(found["next_try_in_s"] > 300, True, f"a copy stays away for a while: {found}")
        finally:
            copy.power_off()
        expect(platform(self.device)["state"], "online", "state of the recorder that was copied")
        self.check.done("a copy of its flash in another recorder: refused as a duplicate; the first one stayed online")

    def revoked(self):
        """Revoked while connected; then signed anew."""
        self.check.step = "a revoked identity"
        recorder = self.world.recorder
        self.cloud.command("factory", "revoke", recorder.serial)
        found = is_offline(self.device, {"revoked"}, "offline once revoked")
        expect(found["next_try_in_s"] > 1800, True, f"whoever was revoked stays away for a while: {found}")
        self.device.must("POST", "/platform/attempt")
        is_offline(self.device, {"revoked"}, "still revoked")
        recorder.power_off()
        recorder.identify(self.cloud)
        recorder.power_on()
        self.check.sign_in()
        is_online(self.device, "online with a new identity")
        self.check.done("revoked while connected: offline with the reason; signed anew: online")

    def keys(self):
        """The cloud's keys change: the recorder learns of them over the link, and seals to the new one."""
        self.check.step = "new keys of the cloud"
        stored = self.world.recorder.state / "identity.json"
        before = json.loads(stored.read_text())
        self.cloud.command("keys", "add")
        self.cloud.command("keys", "add", "--signing")
        self.cloud.service.stop()
        self.cloud.start()
        is_online(self.device, "online after the change of keys")
        after = wait_for(
            lambda: json.loads(stored.read_text()), lambda now: now.get("keys_serial") == 2, "the new keys are kept"
        )
        expect(after["cloud_keys"] == before["cloud_keys"], False, "the key that is sealed to is the old one")
        active = [line.split()[0] for line in self.cloud.command("keys", "list").splitlines() if "active" in line]
        expect([key_id(self.check.forget())], active, "the key that the QR code is sealed to")
        self.device.must("POST", "/reset/challenge/send")
        self.check.code_in_mail(self.check.tag)
        self.check.done("new keys of the cloud: taken over the link, kept, and sealed to")

    def other_cloud(self):
        """The owner's own cloud in place of the first one, by a claim code and the admin password."""
        self.check.step = "another cloud"
        ports = Ports()
        folder = self.world.folder / "other-cloud"
        other = Cloud(self.world.recorder.program.parent, folder, ports.pick(9643), self.world.mail.smtp_port)
        other.start()
        try:
            def asked(claim: str, password: str) -> dict:
                return {"server": other.host, "claim": claim, "current": password}

            claim = other.command("factory", "claim").strip()
            path, password = "/platform/enrolment", self.check.password
            self.device.refused("POST", path, asked("AAAA", password), "invalid-field")
            self.device.refused("POST", path, asked(claim, "not the password"), "wrong-password")
            foreign = self.cloud.command("factory", "claim").strip()
            refusal = self.device.refused("POST", path, asked(foreign, password), "not-enrolled")
            expect(refusal["reason"], "certificate", "why the code of another cloud is refused")
            expect(platform(self.device)["state"], "online", "state after refused enrolments")
            link = self.check.forget()
            self.device.must("POST", path, asked(claim, password))
            found = is_online(self.device, "online at the other cloud")
            expect(found["connects_to"], other.host, "the address that is connected to")
            refusal = self.device.refused("GET", "/reset/challenge", None, "no-challenge")
            expect(refusal["reason"], "lost", "why the code that the first cloud had is over")
            challenge = self.device.must("POST", "/reset/challenge", {"terms_accepted": True}).json()
            expect(challenge["qr_text"] == link, False, "the QR code is the one for the first cloud")
            expect(challenge["qr_text"].startswith(f"https://{other.host}/r#"), True, "the QR code's link")
            self.device.must("POST", "/reset/challenge/send")
            self.check.set_password(self.check.verify(self.check.code_in_mail(challenge["tag"])))
            self.check.sign_in()
            again = other.command("factory", "claim").strip()
            refusal = self.device.refused("POST", path, asked(again, self.check.password), "not-enrolled")
            expect(refusal["reason"], "signed-before", "why a second claim for the same serial is refused")
            expect(platform(self.device)["state"], "online", "state after a refused enrolment")
            self.check.done("another cloud, by its claim code and the admin password: online there, and its code counts")
            self.enrol_by_command(other, again)
        finally:
            other.service.stop()

    def enrol_by_command(self, cloud: Cloud, claim: str):
        """Without the pages, as in a workshop: the daemon is off, and its own command asks the cloud."""
        self.check.step = "an identity by the command line"
        recorder = self.world.recorder
        cloud.command("factory", "revoke", recorder.serial)
        is_offline(self.device, {"revoked"}, "offline once revoked")
        recorder.power_off()
        run(recorder.program, "identity", "enrol", cloud.host, *recorder.arguments, log=recorder.log, input=claim)
        recorder.power_on()
        self.check.sign_in()
        is_online(self.device, "online with the identity of the command line")
        self.check.done("revoked there, and enrolled by `latchkeyd identity enrol`: online again")
