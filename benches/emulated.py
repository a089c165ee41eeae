#!/usr/bin/python3
"""Measures the daemon on the emulated board, and in the same boot what a firmware would glue together
instead: lighttpd with TLS, and mosquitto_sub holding a TLS connection. Called by `scripts/bench emulated`."""

import argparse
import json
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts" / "world"))

from board_check import SERIAL, BoardCheck  # noqa: E402
from board_world import BoardRecorder, BoardWorld  # noqa: E402
from client import ask  # noqa: E402
from image import Image, make_data  # noqa: E402
from machine import Machine  # noqa: E402
from networks import ADDRESS, OURS, make_networks  # noqa: E402
from packages import Archive  # noqa: E402
from world import TOP, Trouble, run  # noqa: E402

IDLE_S = {False: 60, True: 300}
CHALLENGES = 5
START_S_MAX = 60
MQTT_PORT, LIGHTTPD_PORT = 8883, 4443
# What lighttpd and mosquitto_sub consist of, as they are loaded.
PEERS = {
    "lighttpd": ["usr/sbin/lighttpd", "usr/lib/lighttpd/mod_openssl.so"],
    "mosquitto_sub": ["usr/bin/mosquitto_sub"],
}


class Quiet(BoardCheck):
    """The steps without a line for each."""

    def done(self, what: str):
        """Says nothing."""


class Bench:
    """One board, measured."""

    def __init__(self, recorder: BoardRecorder, check: Quiet, idle_s: int):
        self.recorder, self.check, self.idle_s = recorder, check, idle_s
        self.board = recorder.emulator
        self.figures: dict = {}

    def row(self, what: str, figure: str, key: str, value):
        """A figure, told at once."""
        self.figures[key] = value
        print(f"    {what}: {figure}", flush=True)

    def memory(self, pid: str) -> dict[str, int]:
        """VmRSS, VmHWM, and Pss, in KiB."""
        lines = self.board.must(f"cat /proc/{pid}/status /proc/{pid}/smaps_rollup").splitlines()
        words = [line.split() for line in lines]
        return {word[0].rstrip(":"): int(word[1]) for word in words if word[0] in ("VmRSS:", "VmHWM:", "Pss:")}

    def pids(self, name: str) -> list[str]:
        """The processes of a program."""
        return self.board.must(f"pidof {name}").split()

    def threads(self, name: str, file: str, field: str) -> dict[str, int]:
        """A number of every thread of a program, from a file of the kernel's. Threads come and go."""
        paths = " ".join(f"/proc/{pid}/task/*/{file}" for pid in self.pids(name))
        lines = self.board.must(f"grep {field} {paths} /dev/null 2>/dev/null; true").splitlines()
        found = {}
        for line in lines:
            path, _, content = line.partition(":")
            found[path] = int(content.split(":")[-1].split()[0])
        return found

    def cpu_ns(self, name: str) -> dict[str, int]:
        """Processor time of every thread."""
        return self.threads(name, "schedstat", ".")

    def idle(self, name: str):
        """Wake-ups and processor time while nobody asks for anything."""
        # The daemon's threads for slow work end when they had none for ten seconds.
        time.sleep(15)
        wakeups, cpu_ns = self.threads(name, "status", "^voluntary"), self.cpu_ns(name)
        started = time.monotonic()
        time.sleep(self.idle_s)
        taken_s = time.monotonic() - started
        per_min = grown(wakeups, self.threads(name, "status", "^voluntary")) * 60 / taken_s
        percent = grown(cpu_ns, self.cpu_ns(name)) / taken_s / 1e7
        what = f"{per_min:.1f} wake-ups a minute, {percent:.3f} % of the core, over {taken_s:.0f} s"
        self.row(f"{name}, idle", what, f"{name}_idle", {"wakeups_per_min": per_min, "cpu_percent": percent})

    def resident(self, name: str, when: str):
        """How much memory a program has."""
        found = [self.memory(pid) for pid in self.pids(name)]
        sums = {key: sum(each[key] for each in found) for key in found[0]}
        told = f"{sums['VmRSS'] / 1024:.2f} MiB (its share {sums['Pss'] / 1024:.2f}), peak {sums['VmHWM'] / 1024:.2f}"
        self.row(f"{name}, resident, {when}", told, f"{name}_memory_{when.replace(' ', '_')}_kib", sums)

    def start(self, name: str, command: str, port: int, path: str, times: int = 5):
        """From the start of a program to its first answer over TLS."""
        taken_ms = []
        for _ in range(times):
            self.board.must(f"killall -9 {name} 2>/dev/null; while pidof {name}; do usleep 5000; done; true")
            assert self.board.shell
            started = time.monotonic()
            self.board.shell.send(f"{command} </dev/null >/dev/null 2>&1 &")
            self.first_answer(port, path)
            taken_ms.append(1e3 * (time.monotonic() - started))
        told = f"{statistics.median(taken_ms):.0f} ms (of {times}: {min(taken_ms):.0f} to {max(taken_ms):.0f})"
        self.row(f"{name}, start to the first TLS answer", told, f"{name}_start_ms", taken_ms)

    def first_answer(self, port: int, path: str):
        """Asks until it is answered."""
        until = time.monotonic() + START_S_MAX
        while time.monotonic() < until:
            try:
                ask(port, "GET", path, host=ADDRESS)
                return
            except (ConnectionError, ssl.SSLError):
                time.sleep(0.002)
        raise Trouble(f"no answer at port {port}:\n{self.board.tail()}")

    def daemon(self):
        """latchkeyd: memory, idle, challenge, start."""
        check = self.check
        self.resident("latchkeyd", "idle, new")
        check.activate()
        check.reset()
        self.resident("latchkeyd", "after a reset")
        self.idle("latchkeyd")
        self.challenge()
        # From here on init leaves it to us.
        self.board.must("sed -i /respawn/d /etc/inittab && kill -HUP 1")
        self.start("latchkeyd", "/etc/init.d/latchkeyd", 443, "/api/v1/device")

    def challenge(self):
        """Processor time of a challenge: what it takes on top of two requests that only tell something."""
        check = self.check
        check.sign_in()
        tell = [self.cost(lambda: check.device.must("GET", "/device")) for _ in range(CHALLENGES)]
        draw, picture = [], []
        for number in range(CHALLENGES):
            # Another address ends the challenge that is pending, so that the next one is drawn anew.
            change = {"current": check.password, "email": f"owner{number}@example.org"}
            check.device.must("PUT", "/admin/reserved-email", change)
            draw.append(self.cost(lambda: check.device.must("POST", "/reset/challenge", {"terms_accepted": True})))
            picture.append(self.cost(lambda: check.device.must("GET", "/reset/challenge/qr.png")))
        drawn, shown, told = (statistics.median(costs) / 1e6 for costs in (draw, picture, tell))
        what = f"{drawn + shown - 2 * told:.0f} ms of processor time ({drawn - told:.0f} to draw, {shown - told:.0f} for the PNG)"
        self.row("challenge, draw to PNG, with its storing", what, "challenge_ms", {"draw": drawn, "png": shown, "tell": told})

    def cost(self, request) -> int:
        """Processor time that the daemon takes for a request on a new connection."""
        before = self.cpu_ns("latchkeyd")
        request()
        return grown(before, self.cpu_ns("latchkeyd"))

    def peers(self, sizes: dict[str, int]):
        """What is glued together elsewhere."""
        total = sum(sizes.values())
        both = f"{total / 2**20:.2f} MiB with their libraries"
        self.row("lighttpd and mosquitto_sub, size", both, "peers_bytes", sizes)
        self.board.must("mkdir -p /var/tmp /lib/arm-linux-gnueabihf && ln -s /data/peers/lib/* /lib/arm-linux-gnueabihf/")
        self.board.must("ln -sf /data/peers/lib/ld-linux-armhf.so.3 /lib/")
        self.board.must("chmod +x /data/peers/lighttpd /data/peers/mosquitto_sub /data/peers/lib/*; killall -9 latchkeyd; true")
        lighttpd = "/data/peers/lighttpd -m /data/peers -D -f /data/peers/lighttpd.conf"
        self.start("lighttpd", lighttpd, LIGHTTPD_PORT, "/index.html")
        subscribe = f"/data/peers/mosquitto_sub -h {OURS} -p {MQTT_PORT} --insecure --cafile /data/peers/peer.pem -t t -k 60"
        connected = broker()
        assert self.board.shell
        self.board.shell.send(f"{subscribe} </dev/null >/dev/null 2>&1 &")
        if not connected.wait(START_S_MAX):
            raise Trouble("mosquitto_sub does not connect")
        for name in PEERS:
            self.resident(name, "idle")
        for name in PEERS:
            self.idle(name)


def grown(before: dict[str, int], after: dict[str, int]) -> int:
    """By how much the threads that are there have grown."""
    return sum(value - before.get(thread, 0) for thread, value in after.items())


def broker() -> threading.Event:
    """The other end of mosquitto_sub's connection: accepts it, its subscription and its pings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    listener = socket.create_server((OURS, MQTT_PORT))
    connected = threading.Event()

    def serve():
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as client:
            while first := client.recv(1):
                content = client.recv(client.recv(1)[0]) if first[0] != 0xC0 else client.recv(1)
                match first[0] >> 4:
                    case 1:
                        client.sendall(b"\x20\x02\x00\x00")
                    case 8:
                        client.sendall(b"\x90\x03" + content[:2] + b"\x00")
                        connected.set()
                    case 12:
                        client.sendall(b"\xd0\x00")

    threading.Thread(target=serve, daemon=True).start()
    return connected


PEM = ""


def make_peers(image: Image, folder: Path, log: Path) -> tuple[Path, dict[str, int]]:
    """The peers' programs and libraries in one folder, and how large each is, stripped as Debian has them."""
    global PEM
    system, content = folder / "peers.system", folder / "peers"
    (content / "lib").mkdir(parents=True)
    for package in Archive(image.folder).fetch(TOP / "scripts/bench-packages.txt"):
        run("dpkg-deb", "-x", package, system, log=log)
    sizes: dict[str, int] = {}
    wanted = [(system / path, content / Path(path).name) for paths in PEERS.values() for path in paths]
    while wanted:
        source, target = wanted.pop()
        if target.name in sizes:
            continue
        shutil.copy(source.resolve(), target)
        sizes[target.name] = target.stat().st_size
        for line in run("readelf", "--dynamic", source.resolve(), log=log).splitlines():
            if "(NEEDED)" in line:
                name = line.split("[")[1].rstrip("]")
                found = next(system.glob(f"**/arm-linux-gnueabihf/{name}"), None)
                if found is None:
                    raise Trouble(f"{source.name} needs {name}: name its package in scripts/bench-packages.txt")
                wanted.append((found, content / "lib" / name))
    PEM = str(content / "peer.pem")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=peer", "-days", "3650"]
    run("openssl", "req", "-x509", *key, "-keyout", PEM, "-out", f"{PEM}.crt", log=log)
    with open(PEM, "a", encoding="ascii") as pem:
        pem.write(Path(f"{PEM}.crt").read_text())
    (content / "index.html").write_text("<p>here</p>\n")
    (content / "lighttpd.conf").write_text(
        f'server.document-root = "/data/peers"\nserver.port = {LIGHTTPD_PORT}\nserver.modules = ("mod_openssl")\n'
        'ssl.engine = "enable"\nssl.pemfile = "/data/peers/peer.pem"\nserver.errorlog = "/dev/null"\n'
    )
    return content, sizes


def main():
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    image = Image(options.dir.resolve(), options.program.resolve())
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        folder = Path(name)
        log = folder / "commands.log"
        peers, sizes = make_peers(image, folder, log)
        data = folder / "data.img"
        make_data(data, f'[device]\nserial = "{SERIAL}"\n', log, more=[peers])
        make_networks(log)
        recorder = BoardRecorder(image, Machine(folder, disk=str(data)), folder / "console.log")
        with BoardWorld(folder, options.programs.resolve(), recorder) as world:
            check = Quiet(world)
            print(f"    boot: ready after {recorder.emulator.power_on():.1f} s", flush=True)
            recorder.identify(world.cloud, folder)
            check.read_documents()
            bench = Bench(recorder, check, IDLE_S[options.long])
            bench.row("latchkeyd, size", f"{options.program.stat().st_size / 2**20:.2f} MiB", "bytes", options.program.stat().st_size)
            bench.daemon()
            bench.peers(sizes)
        options.out.write_text(json.dumps(bench.figures, indent=1) + "\n")
    print(f"\nwritten to {options.out}")


if __name__ == "__main__":
    try:
        main()
    except (Trouble, subprocess.SubprocessError) as trouble:
        sys.exit(f"\n{trouble}")
