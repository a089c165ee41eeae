#!/usr/bin/python3
"""Measures the daemon on the emulated board, and in the same boot what a firmware would glue together
instead: lighttpd with TLS, and mosquitto_sub holding a TLS connection. Ends with one table. Called by
`scripts/bench emulated`."""

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

import boards  # noqa: E402
from board_check import SERIAL, BoardCheck  # noqa: E402
from board_world import BoardRecorder, BoardWorld  # noqa: E402
from client import ask  # noqa: E402
from image import Image, make_data  # noqa: E402
from link_check import is_online  # noqa: E402
from machine import Machine  # noqa: E402
from networks import ADDRESS, OURS, make_networks  # noqa: E402
from packages import Archive  # noqa: E402
from world import TOP, Trouble, run  # noqa: E402

BOARD = "qemu-armv7"
PACKAGES = TOP / "scripts/bench-packages.txt"
# The daemon's threads for slow work end when they had none for ten seconds.
REST_S = 15
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
        self.rows: list[tuple[str, str, str, str]] = []

    def row(self, what: str, ours: str, theirs: str = "", target: str = ""):
        """A line of the table, told at once."""
        self.rows.append((what, ours, theirs, target))
        print("    " + "; ".join(part for part in (what, ours, theirs) if part), flush=True)

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

    def idle(self) -> dict[str, tuple[float, float]]:
        """Wake-ups a minute, and percent of the core, of each program while nobody asks for anything."""
        names = ("latchkeyd", *PEERS)
        time.sleep(REST_S)
        before = {name: (self.threads(name, "status", "^voluntary"), self.cpu_ns(name)) for name in names}
        started = time.monotonic()
        time.sleep(self.idle_s)
        taken_s = time.monotonic() - started
        found = {}
        for name, (wakeups, cpu_ns) in before.items():
            per_min = grown(wakeups, self.threads(name, "status", "^voluntary")) * 60 / taken_s
            found[name] = per_min, grown(cpu_ns, self.cpu_ns(name)) / taken_s / 1e7
        self.figures["idle"] = {
            "s": taken_s, "wakeups_per_min_and_cpu_percent": found,
        }
        return found

    def resident(self, name: str, when: str) -> dict[str, int]:
        """How much memory a program has."""
        found = [self.memory(pid) for pid in self.pids(name)]
        sums = {key: sum(each[key] for each in found) for key in found[0]}
        self.figures[f"{name}_memory_{when.replace(' ', '_')}_kib"] = sums
        return sums

    def start(self, name: str, command: str, port: int, path: str, times: int = 5) -> str:
        """From the start of a program to its first answer over TLS."""
        taken_ms = []
        for _ in range(times):
            self.board.must(f"killall -9 {name} 2>/dev/null; while pidof {name}; do usleep 5000; done; true")
            assert self.board.shell
            started = time.monotonic()
            self.board.shell.send(f"{command} </dev/null >/dev/null 2>&1 &")
            self.first_answer(port, path)
            taken_ms.append(1e3 * (time.monotonic() - started))
        self.figures[f"{name}_start_ms"] = taken_ms
        return f"{statistics.median(taken_ms):.0f} ms ({min(taken_ms):.0f} to {max(taken_ms):.0f})"

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

    def run(self, size: int, peer_sizes: dict[str, int], counted: dict):
        """Everything, in one boot."""
        check = self.check
        self.figures |= {"bytes": size, "peers_bytes": peer_sizes, "counted": counted}
        theirs = f"{sum(peer_sizes.values()) / 2**20:.2f} MiB with libraries"
        self.row("size", f"{size / 2**20:.2f} MiB", theirs, "2.5 MiB")
        self.resident("latchkeyd", "new")
        check.activate()
        check.reset()
        peak = self.resident("latchkeyd", "after a reset")["VmHWM"]
        check.sign_in()
        # Who the cloud is stands in the identity; where it is, as this board reaches it, in the settings.
        check.device.must("PUT", "/platform", {"enabled": True, "server": f"{OURS}:{check.world.cloud.port}"})
        is_online(check.device, "the platform link of the board")
        check.sign_out()
        lighttpd_start = self.start_peers()
        idle = self.idle()
        memory = {name: self.resident(name, "idle") for name in ("latchkeyd", *PEERS)}
        ours, *theirs = (f"{kib['VmRSS'] / 1024:.2f} MiB" for kib in memory.values())
        self.row("resident, idle, with the platform link up", ours, " and ".join(theirs), "2.5 MiB")
        ours, *theirs = (f"{kib['Pss'] / 1024:.2f} MiB" for kib in memory.values())
        self.row("its share of memory that is shared", ours, " and ".join(theirs))
        argon2_mib = counted["password_hash"]["memory_kib"] / 1024
        self.row("peak in a reset", f"{peak / 1024:.1f} MiB", "", f"{argon2_mib + 3:.0f} MiB")
        for what, place, form, target in (("wake-ups a minute", 0, "{:.1f}", ""), ("of the core", 1, "{:.3f} %", "0.1 %")):
            ours, *theirs = (form.format(found[place]) for found in idle.values())
            self.row(f"idle for {self.idle_s} s: {what}", ours, " and ".join(theirs), target)
        self.row("challenge, draw to PNG, with its storing: processor time", self.challenge(), "", "60 ms")
        if "sign_in_instructions" in counted:
            million = {key: counted[f"{key}_instructions"] / 1e6 for key in ("challenge", "sign_in")}
            self.row("challenge, draw to PNG, with its storing: instructions", f"{million['challenge']:.1f} million")
            hashed = f"Argon2id {argon2_mib:.0f} MiB, {counted['password_hash']['passes']} passes"
            self.row(f"sign-in ({hashed}): instructions", f"{million['sign_in']:.1f} million")
        # From here on init leaves it to us.
        self.board.must("sed -i /respawn/d /etc/inittab && kill -HUP 1")
        start = self.start("latchkeyd", "/etc/init.d/latchkeyd", 443, "/api/v1/device")
        self.row("start to the first TLS answer, median of 5", start, f"lighttpd {lighttpd_start}", "300 ms")

    def challenge(self) -> str:
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
        self.figures["challenge_ms"] = {"draw": drawn, "png": shown, "tell": told}
        return f"{drawn + shown - 2 * told:.0f} ms ({drawn - told:.0f} to draw, {shown - told:.0f} for the PNG)"

    def cost(self, request) -> int:
        """Processor time that the daemon takes for a request on a new connection."""
        before = self.cpu_ns("latchkeyd")
        request()
        return grown(before, self.cpu_ns("latchkeyd"))

    def start_peers(self) -> str:
        """Starts what is glued together elsewhere, and leaves it running; how long lighttpd takes to start."""
        self.board.must("mkdir -p /var/tmp /lib/arm-linux-gnueabihf && ln -s /data/peers/lib/* /lib/arm-linux-gnueabihf/")
        self.board.must("ln -sf /data/peers/lib/ld-linux-armhf.so.3 /lib/")
        self.board.must("chmod +x /data/peers/lighttpd /data/peers/mosquitto_sub /data/peers/lib/*")
        lighttpd = "/data/peers/lighttpd -m /data/peers -D -f /data/peers/lighttpd.conf"
        taken = self.start("lighttpd", lighttpd, LIGHTTPD_PORT, "/index.html")
        subscribe = f"/data/peers/mosquitto_sub -h {OURS} -p {MQTT_PORT} --insecure --cafile /data/peers/peer.pem -t t -k 60"
        connected = broker()
        assert self.board.shell
        self.board.shell.send(f"{subscribe} </dev/null >/dev/null 2>&1 &")
        if not connected.wait(START_S_MAX):
            raise Trouble("mosquitto_sub does not connect")
        return taken


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
    for package in Archive(image.folder).fetch(PACKAGES):
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
    parser.add_argument("--dir", type=Path, required=True, help="where the board's image is, and what was downloaded")
    parser.add_argument("--fetch", action="store_true", help="only download what is compared with")
    parser.add_argument("--program", type=Path)
    parser.add_argument("--programs", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--idle-s", type=int, default=300, help="how long to watch them idle")
    options = parser.parse_args()
    if options.fetch:
        Archive(options.dir.resolve()).fetch(PACKAGES)
        return
    program, programs = options.program.resolve(), options.programs.resolve()
    image = Image(options.dir.resolve(), program)
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as name:
        folder = Path(name)
        log = folder / "commands.log"
        make_networks(log)
        print("    counting instructions under QEMU's user emulation", flush=True)
        counted = boards.measure(boards.Board(BOARD, program), programs / "latchkey-cloud", folder / "counted")
        peers, sizes = make_peers(image, folder, log)
        data = folder / "data.img"
        make_data(data, f'[device]\nserial = "{SERIAL}"\n', log, more=[peers])
        recorder = BoardRecorder(image, Machine(folder, disk=str(data)), folder / "console.log")
        world = BoardWorld(folder, programs, recorder)
        on_loopback = f'"127.0.0.1:{world.cloud.port}"'
        text = world.cloud.config.read_text()
        world.cloud.config.write_text(text.replace(on_loopback, f'{on_loopback}, "{OURS}:{world.cloud.port}"', 1))
        with world:
            check = Quiet(world)
            print(f"    boot: ready after {recorder.emulator.power_on():.1f} s", flush=True)
            recorder.identify(world.cloud, folder)
            check.read_documents()
            bench = Bench(recorder, check, options.idle_s)
            bench.run(program.stat().st_size, sizes, counted)
        options.out.write_text(json.dumps(bench.figures, indent=1) + "\n")
    rows = [("", "latchkeyd", "lighttpd and mosquitto_sub", "at most"), *bench.rows]
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    print()
    for what, ours, theirs, target in rows:
        print(f"{what:{wide[0]}}  {ours:{wide[1]}}  {theirs:{wide[2]}}  {target}".rstrip())
    print(f"\nwritten to {options.out}")


if __name__ == "__main__":
    try:
        main()
    except (Trouble, subprocess.SubprocessError) as trouble:
        sys.exit(f"\n{trouble}")
