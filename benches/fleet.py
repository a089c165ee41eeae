"""What connected recorders cost the recovery service, beside what else keeps devices connected: Mosquitto and
nats-server over TLS with the same certificates, and nginx for the handshake alone. All in one run, with the same
load generator."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import statistics
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts" / "world"))

from world import Cloud, Ports, Service, Trouble, run  # noqa: E402

FLEET = 5000
BEATS, BEATS_PER_S = 100_000, 5000
GREETINGS = 3000
LONG_FLEET, LONG_HOLD_S = 10_000, 300
# Beats that are captured, at one a second; MQTT's shortest keepalive of Mosquitto's client is 5 s.
CAPTURED_BEATS = 8
MQTT_KEEPALIVE_S = 5
# Packets of one beat follow each other at once.
PAUSE_S = 0.3
ETH_P_IP = 0x0800
PACKET_OUTGOING = 4
SETTLE_S, IDLE_S, IDLE_LONG_S = 20, 60, 300


class Capture:
    """The IP packets of one TCP port on the loopback interface, with their times."""

    def __init__(self, port: int):
        self.port, self.packets = port, []
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.bind(("lo", ETH_P_IP))
        self.socket.settimeout(0.2)
        self.going = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        """Takes packets until it is over."""
        while self.going:
            try:
                packet, (_, _, kind, *_) = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            # Each packet on lo passes twice, out and in.
            if kind == PACKET_OUTGOING or packet[9] != socket.IPPROTO_TCP:
                continue
            length = struct.unpack_from("!H", packet, 2)[0]
            ports = struct.unpack_from("!HH", packet, 4 * (packet[0] & 15))
            if self.port in ports:
                self.packets.append((time.monotonic(), length))

    def beats(self) -> list[int]:
        """Bytes of each group of packets that follow each other at once, IP and TCP with them."""
        self.going = False
        self.thread.join()
        self.socket.close()
        groups: list[list[int]] = []
        last = 0.0
        for at, length in self.packets:
            if at - last > PAUSE_S:
                groups.append([])
            groups[-1].append(length)
            last = at
        return [sum(group) for group in groups]


def wake_ups(pid: int) -> dict:
    """How often the threads of a process were woken in a while."""
    seconds = IDLE_LONG_S if os.environ.get("LATCHKEY_TEST_LONG") else IDLE_S

    def count() -> int:
        statuses = [status.read_text() for status in Path(f"/proc/{pid}/task").glob("*/status")]
        lines = [line for status in statuses for line in status.splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

    # Connections of the check before it are closed by then.
    time.sleep(SETTLE_S)
    before = count()
    time.sleep(seconds)
    return {"seconds": seconds, "wake_ups": count() - before}


def bytes_a_beat(port: int, beat: Callable) -> float:
    """The middle of the captured beats. The first group is the connection's start, the last its end."""
    capture = Capture(port)
    beat()
    beats = capture.beats()[1:-1]
    if len(beats) < 3:
        raise Trouble(f"too few heartbeats were captured on port {port}: {beats}")
    return statistics.median(beats)


class Fleet:
    """The measurements of the fleet; `row` tells one, `figures` takes them."""

    def __init__(self, programs: Path, folder: Path, row: Callable, figures: dict):
        folder.mkdir(exist_ok=True)
        self.folder, self.row, self.figures = folder, row, figures
        self.log = folder / "fleet.log"
        self.generator = programs / "examples" / "fleet"
        self.ports = Ports()
        self.cloud = Cloud(programs, folder / "fleet", self.ports.pick(9743), 2725)
        self.fleet, self.few = folder / "fleet.json", folder / "few.json"
        self.certificate, self.key = folder / "server.crt", folder / "server.key"

    def generate(self, command: str, fleet: Path, port: int, pid: int, *more: str | Path) -> dict:
        """Runs the generator, and gives its figures."""
        where = ["--fleet", fleet, "--address", f"127.0.0.1:{port}", "--pid", str(pid)]
        many = ["prlimit", f"--nofile={resource.getrlimit(resource.RLIMIT_NOFILE)[1]}", "--"]
        return json.loads(run(*many, self.generator, command, *where, *more, log=self.log))

    def prepare(self, count: int):
        """Recorders with identities of the cloud, and a certificate for the other servers."""
        where = ["--config", self.cloud.config, "--count", str(count)]
        run(self.generator, "prepare", *where, "--out", self.fleet, log=self.log)
        recorders = json.loads(self.fleet.read_text())
        self.few.write_text(json.dumps(recorders[:1]))
        (self.folder / "greeters.json").write_text(json.dumps(recorders[:GREETINGS]))
        # For Mosquitto's own client.
        (self.folder / "device.crt").write_text(recorders[0]["file"]["certificate"])
        seed = bytes(recorders[0]["key"])
        (self.folder / "device.der").write_bytes(bytes.fromhex("302e020100300506032b657004220420") + seed)
        device = ["-in", self.folder / "device.der", "-inform", "DER", "-out", self.folder / "device.key"]
        run("openssl", "pkey", *device, log=self.log)
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        more = ["-addext", "basicConstraints=critical,CA:FALSE", "-days", "2", "-nodes"]
        out = ["-keyout", self.key, "-out", self.certificate]
        run("openssl", "req", "-x509", "-newkey", "ed25519", *out, *subject, *more, log=self.log)

    def run(self):
        """Everything."""
        self.prepare(FLEET)
        own = self.own()
        rows = [("latchkey-cloud", own)]
        for name, program, command in (
            ("Mosquitto", "mosquitto", self.mosquitto),
            ("nats-server", "nats-server", self.nats),
        ):
            if found := shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
                rows.append((name, command(found)))
        self.figures["fleet"] = dict(rows)
        for name, found in rows:
            aims = ("10 KiB", "1.5 s") if name == "latchkey-cloud" else ("", "")
            each = f"{found['memory_each_bytes'] / 1024:.1f} KiB"
            self.row(f"{name}, memory an idle device ({found['connections']:,} connected)", each, aims[0])
            beats = f"{name}, processor time for {found['beats']:,} heartbeats at {BEATS_PER_S:,}/s"
            self.row(beats, f"{found['beats_cpu_s']:.2f} s", aims[1])
            if "beat_bytes" in found:
                aim = "210 bytes" if aims[0] else ""
                self.row(f"{name}, a heartbeat and its answer on the wire", f"{found['beat_bytes']:.0f} bytes", aim)
        per_s = own["connections"] / own["connect_cpu_s"]
        self.row("latchkey-cloud, new registered devices a second and core", f"{per_s:,.0f}")
        self.greetings()

    def own(self) -> dict:
        """The recovery service."""
        self.cloud.start()
        try:
            pid, port = self.cloud.service.pid, self.cloud.port
            found = self.all_of_it(port, pid)
            found["greeted"] = self.generate("greet", self.folder / "greeters.json", port, pid)
            found["beat_bytes"] = bytes_a_beat(port, lambda: self.few_beats(port, pid))
            return found
        finally:
            self.cloud.service.stop()

    def few_beats(self, port: int, pid: int, *more: str | Path):
        """One recorder, a beat each second. A second passes before the first and after the last."""
        how = ["--beats", str(CAPTURED_BEATS), "--per-s", "1", "--hold-s", "1"]
        self.generate("run", self.few, port, pid, *how, *more)

    def all_of_it(self, port: int, pid: int, *more: str | Path) -> dict:
        """Connects all, lets them beat, and sees that none is lost."""
        how = ["--beats", str(BEATS), "--per-s", str(BEATS_PER_S), "--hold-s", "10"]
        found = self.generate("run", self.fleet, port, pid, *how, *more)
        if found["lost"]:
            raise Trouble(f"{found['lost']} of {found['connections']} connections were lost")
        return found

    def started(self, name: str, command: list[str | Path], port: int) -> Service:
        """Another server."""
        service = Service(name, self.folder / f"{name}.log")
        many = ["prlimit", f"--nofile={resource.getrlimit(resource.RLIMIT_NOFILE)[1]}", "--"]
        service.start(["setpriv", "--pdeathsig", "TERM", "--", *many, *command], [port])
        return service

    def mosquitto(self, program: str) -> dict:
        """Mosquitto, and its own client for the bytes."""
        port, config = self.ports.pick(9843), self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {port} 127.0.0.1\ncafile {self.cloud.folder}/keys/factory-ca.crt\nuser root\n"
            f"certfile {self.certificate}\nkeyfile {self.key}\nrequire_certificate true\n"
            "allow_anonymous true\nlog_type error\nmax_connections -1\n"
        )
        service = self.started("mosquitto", [program, "-c", config], port)
        try:
            more = ["--speaks", "mqtt", "--root", self.certificate]
            found = self.all_of_it(port, service.pid, *more)
            if client := shutil.which("mosquitto_sub"):
                found["beat_bytes"] = bytes_a_beat(port, lambda: self.subscribe(client, port))
            return found
        finally:
            service.stop()

    def subscribe(self, client: str, port: int):
        """Mosquitto's client, which pings when it has nothing to say."""
        keys = ["--cert", self.folder / "device.crt", "--key", self.folder / "device.key"]
        where = ["-h", "localhost", "-p", str(port), "--cafile", self.certificate, *keys]
        for_s = str(5 * MQTT_KEEPALIVE_S + 1)
        how = ["-t", "nothing", "-k", str(MQTT_KEEPALIVE_S), "-W", for_s]
        # It ends with 27 when its time is over.
        run("sh", "-c", '"$@"; [ $? = 27 ]', "sh", client, *where, *how, log=self.log)

    def nats(self, program: str) -> dict:
        """nats-server."""
        port, config = self.ports.pick(9943), self.folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{port}"\nmax_connections: {2 * FLEET}\nping_interval: "1h"\n'
            f'tls {{ cert_file: "{self.certificate}", key_file: "{self.key}", verify: true, timeout: 30,\n'
            f'  ca_file: "{self.cloud.folder}/keys/factory-ca.crt" }}\n'
        )
        service = self.started("nats-server", [program, "-c", config], port)
        try:
            more = ["--speaks", "nats", "--root", self.certificate]
            return self.all_of_it(port, service.pid, *more)
        finally:
            service.stop()

    def greetings(self):
        """TLS connections with certificates of both sides, beside nginx."""
        own = self.figures["fleet"]["latchkey-cloud"]["greeted"]
        what = "new mutual-TLS connections a second and core"
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        beside = "nginx, in the same run" if program else ""
        self.row(f"latchkey-cloud, {what}", f"{own['connections'] / own['connect_cpu_s']:,.0f}", beside)
        if not program:
            return
        port, config = self.ports.pick(10_043), self.folder / "nginx.conf"
        config.write_text(
            f"daemon off; master_process off; worker_processes 1; pid {self.folder}/nginx.pid; error_log stderr;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3;\n"
            f"  ssl_certificate {self.certificate}; ssl_certificate_key {self.key}; ssl_session_tickets off;\n"
            f"  ssl_client_certificate {self.cloud.folder}/keys/factory-ca.crt; ssl_verify_client on;\n"
            "  return 204; } }\n"
        )
        service = self.started("nginx", [program, "-c", config, "-e", "stderr", "-p", self.folder], port)
        try:
            greeters = self.folder / "greeters.json"
            found = self.generate("greet", greeters, port, service.pid, "--root", self.certificate)
        finally:
            service.stop()
        self.figures["fleet"]["nginx"] = found
        self.row(f"nginx, {what}", f"{found['connections'] / found['connect_cpu_s']:,.0f}")

    def long(self):
        """As many connections as a node should bear, from one process, held for minutes with none lost."""
        self.prepare(LONG_FLEET)
        self.cloud.start()
        try:
            how = ["--beats", str(LONG_FLEET), "--per-s", "5000", "--hold-s", str(LONG_HOLD_S)]
            found = self.generate("run", self.fleet, self.cloud.port, self.cloud.service.pid, *how)
        finally:
            self.cloud.service.stop()
        self.figures["fleet_held"] = found
        if found["lost"]:
            raise Trouble(f"{found['lost']} of {LONG_FLEET} connections were lost in {LONG_HOLD_S} s")
        self.row(f"{LONG_FLEET:,} connections of one process, held {LONG_HOLD_S} s", "none lost", "none lost")
