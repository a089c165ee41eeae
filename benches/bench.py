#!/usr/bin/python3
"""Measures the real programs and prints one table; `scripts/bench` builds them and calls this.

Cloud, mail server and recorder run on the loopback interface, as in `scripts/demo`. The recorder's requests
are timed by the processor time that the kernel charges to it, so that a slow client does not count.
"""

import argparse
import json
import os
import platform
import queue
import re
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from http.client import HTTPSConnection
from multiprocessing import Event, Process, Queue
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts" / "world"))

import boards  # noqa: E402
import fleet  # noqa: E402
from link_check import LinkCheck  # noqa: E402
from world import Cloud, Ports, Trouble, World, run  # noqa: E402

CORE = 0
RESETS_PER_S = 50
RELAY_S = 20
DEVICES = 40
# What the LAN door lets through at once: 200 requests an address, 1000 together.
ADDRESSES = 5
REQUESTS_EACH = 190
SIGN_INS = 12


class Bench:
    """One measurement after the other; `rows` is the table."""

    def __init__(self, programs: Path, folder: Path, board_names: list[str]):
        self.programs, self.folder, self.board_names = programs, folder, board_names
        self.log = folder / "bench.log"
        self.figures: dict = {}
        self.rows: list[tuple[str, str, str]] = []

    def row(self, what: str, figure: str, target: str = ""):
        """A line of the table, told at once."""
        self.rows.append((what, figure, target))
        print(f"    {what}: {figure}", flush=True)

    def inside(self, *arguments: str) -> dict:
        """Runs the program that measures the daemon's code from inside, on one core."""
        command = ["taskset", "-c", str(CORE), self.programs / "examples" / "figures", *arguments]
        return json.loads(run(*command, log=self.log))

    def size(self):
        """How large the programs are."""
        sizes = {name: (self.programs / name).stat().st_size for name in ("latchkeyd", "latchkey-cloud")}
        self.figures["binary_bytes"] = sizes
        self.row("latchkeyd, stripped", f"{sizes['latchkeyd'] / 2**20:.2f} MiB", "2.5 MiB on armv7")
        self.row("latchkey-cloud, stripped", f"{sizes['latchkey-cloud'] / 2**20:.2f} MiB")

    def boards(self):
        """What scripts/build made for boards, counted under QEMU's user emulation."""
        self.figures["boards"] = {}
        for name in self.board_names:
            board = boards.Board(name)
            found = boards.measure(board, (self.programs / "latchkey-cloud").resolve(), self.folder / name)
            self.figures["boards"][name] = found
            at_most = f"{found['binary_bytes_max'] / 2**20:.2f} MiB"
            self.row(f"{name}: latchkeyd, stripped", f"{found['binary_bytes'] / 2**20:.2f} MiB", at_most)
            if "sign_in_instructions" not in found:
                self.row(f"{name}: instructions", "not counted: this QEMU takes no plugins")
                continue
            cost = found["password_hash"]
            sign_in = f"sign-in (Argon2id {cost['memory_kib'] / 1024:.0f} MiB, {cost['passes']} passes)"
            request = "TLS connection with a small request"
            for what, key in ((sign_in, "sign_in"), ("challenge, draw to PNG", "challenge"), (request, "request")):
                self.row(f"{name}: {what}, instructions", f"{found[f'{key}_instructions'] / 1e6:.1f} million")

    def challenge(self):
        """One challenge, from the draw of the code to the PNG."""
        self.figures["challenge"] = found = self.inside("challenge")
        for size in ("usual", "largest"):
            times = found[size]["draw_to_png_ms"]
            what = f"challenge, draw to PNG ({found[size]['sealed_bytes']} bytes)"
            self.row(what, f"{times['p50']:.2f} ms (p99 {times['p99']:.2f})", "3 ms")
        if shutil.which("valgrind"):
            per_challenge = (self.instructions(6) - self.instructions(1)) // 10
            found["instructions"] = per_challenge
            self.row("challenge, instructions (callgrind)", f"{per_challenge / 1e6:.2f} million")

    def instructions(self, count: int) -> int:
        """Instructions of so many challenges of each of the two sizes, with the program's start."""
        out = self.folder / "callgrind.out"
        program = self.programs / "examples" / "figures"
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "-q"]
        run(*tool, program, "challenge", str(count), log=self.log)
        totals = [line for line in out.read_text().splitlines() if line.startswith(("totals:", "summary:"))]
        return int(totals[-1].split()[1])

    def sign_in(self):
        """Argon2id with the board's parameters."""
        self.figures["sign_in"] = found = self.inside("sign-in")
        what = f"sign-in, Argon2id {found['memory_kib'] // 1024} MiB, {found['passes']} passes"
        self.row(what, f"{found['p50_ms']:.0f} ms, {found['peak_above_start_kib'] / 1024:.1f} MiB", "1 s")

    def attack(self):
        """Flash commits a day."""
        self.figures["attack"] = found = self.inside("attack")
        for name, days in found.items():
            first, last = days["commits_by_day"][0], days["commits_by_day"][-1]
            self.row(f"flash commits a day, {name.replace('_', ' ')}", f"{first} on the first day, {last} later")

    def recorder(self, world: World):
        """Memory and requests of the real daemon, in the world of the demo."""
        pid = world.recorder.service.pid
        os.sched_setaffinity(pid, {CORE})
        idle_new = memory_kib(pid)
        check = boards.Quiet(world)
        check.read_documents()
        check.activate()
        check.reset()
        after = memory_kib(pid)
        times_ms = []
        for _ in range(SIGN_INS):
            started = time.monotonic()
            check.sign_in()
            times_ms.append(1e3 * (time.monotonic() - started))
            check.sign_out()
        later = memory_kib(pid)
        self.figures["recorder_memory_kib"] = {
            "idle_new": idle_new["VmRSS"], "peak_at_start": idle_new["VmHWM"],
            "idle_after_a_reset": after["VmRSS"], "peak_in_a_reset": after["VmHWM"],
            "sign_ins": SIGN_INS, "idle_after_sign_ins": later["VmRSS"], "peak_in_sign_ins": later["VmHWM"],
        }
        self.figures["sign_in_over_tls_ms"] = {"p50": statistics.median(times_ms), "slowest": max(times_ms)}
        self.row("latchkeyd, resident, idle", mib(idle_new["VmRSS"]), "2.5 MiB on armv7")
        self.row("latchkeyd, peak in a reset", mib(after["VmHWM"]), "Argon2id + 3 MiB on armv7")
        self.row("latchkeyd, resident after it", mib(after["VmRSS"]))
        self.row(f"latchkeyd, resident after {SIGN_INS} sign-ins more", mib(later["VmRSS"]))
        self.row("latchkeyd, peak in them", mib(later["VmHWM"]), "Argon2id + 3 MiB on armv7")
        self.row("sign-in over a new TLS connection", f"{statistics.median(times_ms):.0f} ms", "1 s")
        self.requests(world)

    def requests(self, world: World):
        """`GET /api/v1/device` over kept TLS connections, one after the other on each."""
        pid, port = world.recorder.service.pid, world.recorder.https_port
        # A door fills up again by what it lets through in a second; the check before this used some.
        time.sleep(12)
        everywhere = os.sched_getaffinity(0)
        os.sched_setaffinity(0, everywhere - {CORE} or everywhere)
        connections = [connect(port, f"127.0.0.{host}") for host in range(11, 11 + ADDRESSES)]
        ask(connections[0], port)
        before_ns, started = processor_ns(pid), time.monotonic()
        with ThreadPoolExecutor(ADDRESSES) as pool:
            list(pool.map(lambda connection: [ask(connection, port) for _ in range(REQUESTS_EACH)], connections))
        taken_s, used_ns = time.monotonic() - started, processor_ns(pid) - before_ns
        os.sched_setaffinity(0, everywhere)
        count = ADDRESSES * REQUESTS_EACH
        per_s = count / (used_ns / 1e9)
        self.figures["requests"] = {
            "count": count, "processor_us_each": used_ns / 1e3 / count, "per_core_and_s": per_s, "wall_s": taken_s,
        }
        self.row("GET /api/v1/device over TLS, a second and core", f"{per_s:,.0f} ({used_ns / 1e3 / count:.0f} µs each)")

    def relay(self):
        """Resets relayed at a steady rate, each timed until the mail server has accepted its mail."""
        ports = Ports()
        smtp_port = ports.pick(2625)
        cloud = Cloud(self.programs, self.folder / "relay", ports.pick(9543), smtp_port)
        lift_limits(cloud)
        count = RESETS_PER_S * RELAY_S
        sealed = seal(self.programs, cloud, count, self.log)
        accepted: Queue = Queue()
        ready, done = Event(), Event()
        server = Process(target=mail_server, args=(smtp_port, accepted, ready, done), daemon=True)
        server.start()
        if not ready.wait(30):
            raise Trouble("the mail server does not start")
        cloud.start()
        try:
            sent = relay_all(cloud.port, sealed)
            arrived = dict(accepted.get(timeout=60) for _ in range(count))
        except queue.Empty:
            raise Trouble("not every mail came") from None
        finally:
            peak_kib = memory_kib(cloud.service.pid)["VmHWM"]
            cloud.service.stop()
            done.set()
            server.join(10)
        times_ms = sorted(1e3 * (arrived[address] - sent[address]) for _, address in sealed)
        p50, p99 = middle_and_slow(times_ms)
        self.figures["relay"] = {
            "resets_per_s": RESETS_PER_S, "count": count, "p50_ms": p50, "p99_ms": p99, "slowest_ms": times_ms[-1],
            "cloud_peak_kib": peak_kib,
        }
        self.row(
            f"relay to SMTP accept at {RESETS_PER_S} resets/s", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms", "p99 1 s"
        )
        self.row("latchkey-cloud, peak at that rate", f"{peak_kib / 1024:.1f} MiB")

    def fleet(self):
        """Devices that are connected: what each costs the cloud, beside others."""
        measured = fleet.Fleet(self.programs, self.folder, self.row, self.figures)
        if os.environ.get("LATCHKEY_TEST_LONG"):
            measured.long()
            measured = fleet.Fleet(self.programs, self.folder / "again", self.row, self.figures)
        measured.run()

    def idle(self, world: World):
        """How often a recorder wakes that is connected and has nothing to do."""
        check = boards.Quiet(world)
        check.read_documents()
        check.activate()
        check.sign_in()
        LinkCheck(check).online()
        self.figures["idle"] = found = fleet.wake_ups(world.recorder.service.pid)
        each = 60 * found["wake_ups"] / found["seconds"]
        self.row("latchkeyd, wake-ups a minute, idle and connected", f"{each:.1f}")


def lift_limits(cloud: Cloud):
    """Every device and address is used by one machine here: limits that no person meets."""
    limits = r"(?m)^((?:device_door|confirmed_address|unconfirmed_address)_per_day|requester_per_10_min) = \d+$"
    text, found = re.subn(limits, r"\1 = 1000000", cloud.config.read_text())
    if found != 4:
        raise Trouble(f"{cloud.config} should have four limits to lift, not {found}")
    cloud.config.write_text(text)


def seal(programs: Path, cloud: Cloud, count: int, log: Path) -> list[list[str]]:
    """Real challenges of devices that the cloud signs: digits and reserved email of each."""
    devices = cloud.folder / "devices"
    devices.mkdir()
    program = programs / "examples" / "figures"
    run(program, "requests", devices, str(DEVICES), log=log)
    for number in range(DEVICES):
        (devices / f"identity-{number}.json").write_text(cloud.sign(devices / f"request-{number}.json"))
    return [line.split() for line in run(program, "seal", devices, str(count), log=log).splitlines()]


def middle_and_slow(times_ms: list[float]) -> tuple[float, float]:
    """p50 and p99 of times in order."""
    return statistics.median(times_ms), times_ms[int(len(times_ms) * 0.99)]


def mib(kib: int) -> str:
    """For the table."""
    return f"{kib / 1024:.2f} MiB"


def memory_kib(pid: int) -> dict[str, int]:
    """VmRSS and VmHWM of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}


def processor_ns(pid: int) -> int:
    """Processor time of all threads of a process."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def trusting() -> ssl.SSLContext:
    """For servers with self-made certificates on this machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connect(port: int, source: str) -> ssl.SSLSocket:
    """A TLS connection from one of this machine's own addresses."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return trusting().wrap_socket(plain)


def ask(connection: ssl.SSLSocket, port: int):
    """One request and its whole answer."""
    connection.sendall(f"GET /api/v1/device HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += received(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise Trouble(f"the recorder answered {head.splitlines()[0].decode()}")
    lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    while len(body) < int(lengths[0].split(b":")[1]):
        body += received(connection)


def received(connection: ssl.SSLSocket) -> bytes:
    """Some bytes, or trouble."""
    some = connection.recv(65536)
    if not some:
        raise Trouble("the recorder closed the connection")
    return some


def mail_server(port: int, accepted: Queue, ready, done):
    """A mail server that notes when it has taken each mail."""
    from aiosmtpd.controller import Controller

    class Handler:
        """Takes everything."""

        async def handle_DATA(self, _server, _session, envelope):
            """A mail, whole."""
            for recipient in envelope.rcpt_tos:
                accepted.put((recipient, time.monotonic()))
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    ready.set()
    done.wait()
    controller.stop()


def relay_all(port: int, sealed: list[list[str]]) -> dict[str, float]:
    """Sends each at its moment, whatever became of those before; gives the moments by address."""
    start = time.monotonic() + 0.5
    moments = {address: start + number / RESETS_PER_S for number, (_, address) in enumerate(sealed)}
    local = threading.local()

    def send(item: list[str]):
        digits, address = item
        if not hasattr(local, "connection"):
            local.connection = HTTPSConnection("127.0.0.1", port, timeout=30, context=trusting())
        time.sleep(max(0.0, moments[address] - time.monotonic()))
        headers = {"Content-Type": "application/json"}
        local.connection.request("POST", "/api/v1/relay", body=json.dumps({"sealed": digits}), headers=headers)
        response = local.connection.getresponse()
        body = response.read()
        if response.status != 202:
            raise Trouble(f"the cloud answered {response.status}: {body.decode(errors='replace')}")

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(send, sealed))
    return moments


def machine() -> dict[str, str]:
    """What this was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"  ! others use this machine (load {load:.1f}): times are longer than they are alone", file=sys.stderr)
    return {
        "processor": model, "cores": str(os.cpu_count()), "kernel": platform.release(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"), "load before": f"{load:.1f}",
    }


def main():
    """Measures everything, or the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--board", action="append", default=[], help="a board that scripts/build has built")
    parser.add_argument("part", nargs="*", help="size challenge sign_in attack recorder relay fleet idle boards")
    options = parser.parse_args()
    parts = options.part or ["size", "challenge", "sign_in", "attack", "recorder", "relay", "fleet", "idle", "boards"]
    where = machine()
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        bench = Bench(options.programs.resolve(), Path(folder), options.board)
        for part in parts:
            print(f"  {part.replace('_', ' ')}", flush=True)
            if part in ("recorder", "idle"):
                with World(Path(folder) / part, options.programs.resolve()) as world:
                    world.start()
                    getattr(bench, part)(world)
            else:
                getattr(bench, part)()
    found = {"machine": where, **bench.figures}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    wide = [max(len(row[column]) for row in bench.rows) for column in range(2)]
    print("\n" + ", ".join(f"{name}: {value}" for name, value in found["machine"].items()) + "\n")
    for what, figure, target in bench.rows:
        print(f"{what:{wide[0]}}  {figure:{wide[1]}}  {'aim: ' + target if target else ''}".rstrip())
    print(f"\nwritten to {options.out}")


if __name__ == "__main__":
    try:
        main()
    except Trouble as trouble:
        sys.exit(str(trouble))
