#!/usr/bin/python3
"""Measures what people meet at the recovery service: photos that are read, mails to the recovery mailbox,
registrations, and the pages on a slow phone. `scripts/bench app` builds everything and calls this.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from multiprocessing import Event, Process, Queue
from pathlib import Path
from urllib.parse import urlencode

import pictures
from bench import lift_limits, mail_server, middle_and_slow, seal, trusting

from check import ZBAR
from world import RECOVERY_MAILBOX, Cloud, Ports, Trouble, run

SEED, PHOTOS = 7, 160
MAILS, MAILS_PER_S = 200, 5
SIGN_UPS, AT_A_TIME = 100, 4
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve".split()
PAGES = ("", "r", "reset", "account/sign-up", "account/sign-in", "more")
# What DevTools calls a slow phone: 400 kbit/s, 400 ms there and back, a processor a sixth as fast.
SLOW = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
SLOW_PROCESSOR = 6


class App:
    """One measurement after the other."""

    def __init__(self, programs: Path, folder: Path):
        self.programs, self.folder, self.log = programs, folder, folder / "bench.log"
        self.figures: dict = {}
        self.ports = Ports()

    def row(self, what: str, figure: str, beside: str = ""):
        """A line of the table, told at once."""
        print(f"  {what:<58} {figure:<34} {beside}", flush=True)

    def cloud(self, name: str, smtp_port: int) -> Cloud:
        """A cloud with a recovery mailbox, and with limits that no person meets."""
        cloud = Cloud(
            self.programs, self.folder / name, self.ports.pick(9543), smtp_port, mailbox=RECOVERY_MAILBOX
        )
        lift_limits(cloud)
        return cloud

    def photos(self):
        """The share of degraded photos that is read, beside zbar on the same files."""
        folder = self.folder / "photos"
        folder.mkdir()
        cloud = self.cloud("photos-cloud", 25)
        texts = [f"https://{cloud.host}/r#{digits}" for digits, _ in seal(self.programs, cloud, PHOTOS, self.log)]
        drawn = pictures.draw(texts, SEED, folder)
        files = [file for _, _, file in drawn]
        lines = run(self.programs / "examples" / "read_pictures", *files, log=self.log).splitlines()
        ours = {Path(path): (text, float(ms)) for path, text, ms in (line.split("\t") for line in lines)}
        table = {kind: [0, 0, 0] for kind in pictures.KINDS}
        for kind, text, file in drawn:
            zbar = subprocess.run([*ZBAR, file], capture_output=True, text=True, check=False)
            table[kind][0] += 1
            table[kind][1] += ours[file][0] == text
            table[kind][2] += zbar.stdout.strip() == text
            wrong = ours[file][0] not in ("", text)
            if wrong:
                raise Trouble(f"{file} was read as another text")
        totals = [sum(column) for column in zip(*table.values())]
        for kind, (count, read, zbar) in [*table.items(), ("all", totals)]:
            self.row(f"photos read, {kind}", f"{read} of {count}", f"zbar {zbar}")
        slowest = max(ms for _, ms in ours.values())
        self.row("a photo, read or given up", f"p50 {statistics.median(ms for _, ms in ours.values()):.0f} ms, "
                 f"slowest {slowest:.0f} ms")
        self.figures["photos"] = {"seed": SEED, "kinds": table, "slowest_ms": slowest}

    def mailbox(self):
        """Mails with a QR code, from their arrival in the Maildir until the code's mail is accepted."""
        smtp_port = self.ports.pick(2625)
        cloud = self.cloud("mailbox", smtp_port)
        sealed = seal(self.programs, cloud, MAILS, self.log)
        waiting = []
        for number, (digits, address) in enumerate(sealed):
            picture = ["qrencode", "--level=M", "--size=6", "--output=-", f"https://{cloud.host}/r#{digits}"]
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = f"{number}@example.net", RECOVERY_MAILBOX, "recorder"
            mail.set_content("Attached.")
            content = subprocess.run(picture, capture_output=True, check=True).stdout
            mail.add_attachment(content, maintype="image", subtype="png", filename="qr.png")
            waiting.append((address, bytes(mail)))
        with running(smtp_port, cloud) as accepted:
            arrived, start = {}, time.monotonic() + 1
            for number, (address, mail) in enumerate(waiting):
                (file := cloud.maildir / "tmp" / f"{number}.bench").write_bytes(mail)
                time.sleep(max(0.0, start + number / MAILS_PER_S - time.monotonic()))
                arrived[address] = time.monotonic()
                os.rename(file, cloud.maildir / "new" / file.name)
            taken = dict(accepted.get(timeout=60) for _ in waiting)
        times_ms = sorted(1e3 * (taken[address] - arrived[address]) for address in arrived)
        p50, p99 = middle_and_slow(times_ms)
        self.figures["mailbox"] = {"mails_per_s": MAILS_PER_S, "count": MAILS, "p50_ms": p50, "p99_ms": p99}
        self.row(f"Maildir to SMTP accept at {MAILS_PER_S} mails/s", f"p50 {p50:.0f} ms, p99 {p99:.0f} ms")

    def sign_ups(self):
        """Whole registrations, each with its question, its mail, its code and its page, from an address of its own."""
        smtp_port = self.ports.pick(2625)
        cloud = self.cloud("sign-ups", smtp_port)
        codes: Queue = Queue()
        with running(smtp_port, cloud, codes) as accepted:
            mails: dict[str, str] = {}

            def code_of(address: str) -> str:
                while address not in mails:
                    to, code = accepted.get(timeout=60)
                    mails[to] = code
                return mails[address]

            started = time.monotonic()
            with ThreadPoolExecutor(AT_A_TIME) as pool:
                asked = list(pool.map(lambda number: ask_sign_up(cloud.port, number), range(SIGN_UPS)))
                typed = [code_of(f"person-{number}@bench.example") for number in range(SIGN_UPS)]
                list(pool.map(lambda item: register(cloud.port, *item), zip(range(SIGN_UPS), asked, typed)))
            per_s = SIGN_UPS / (time.monotonic() - started)
        self.figures["sign_ups_per_s"] = per_s
        self.row("registrations a second", f"{per_s:.1f}")

    def pages(self):
        """Weight and first paint of pages on a slow phone, with nothing kept from before."""
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        cloud = self.cloud("pages", 25)
        cloud.start()
        try:
            for page in PAGES:
                options = Options()
                options.binary_location = "/usr/bin/chromium"
                for flag in "--headless=new --no-sandbox --disable-gpu --ignore-certificate-errors".split():
                    options.add_argument(flag)
                service = Service(executable_path="/usr/bin/chromedriver")
                driver = webdriver.Chrome(options=options, service=service)
                try:
                    self.page(driver, cloud.address, page)
                finally:
                    driver.quit()
        finally:
            cloud.service.stop()

    def page(self, driver, address: str, page: str):
        """One page."""
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", SLOW)
        driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": SLOW_PROCESSOR})
        driver.get(address + page)
        found = driver.execute_script(
            """
            const loads = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
            const paint = performance.getEntriesByName('first-contentful-paint')[0];
            return [loads.length, loads.reduce((sum, load) => sum + load.transferSize, 0), paint && paint.startTime];
            """
        )
        requests, transferred, first_paint_ms = found
        if not first_paint_ms:
            raise Trouble(f"/{page} was never painted")
        self.figures.setdefault("pages", {})[f"/{page}"] = {
            "requests": requests, "bytes": transferred, "first_paint_ms": first_paint_ms,
        }
        weight = f"{transferred / 1024:.1f} KiB in {requests} requests"
        self.row(f"/{page} on a slow phone", f"{weight}", f"first paint {first_paint_ms / 1e3:.1f} s")


class running:  # pylint: disable=invalid-name
    """A cloud and a mail server, as a context; gives the queue of what the mail server takes."""

    def __init__(self, smtp_port: int, cloud: Cloud, codes: Queue | None = None):
        self.cloud, self.accepted = cloud, codes if codes is not None else Queue()
        self.ready, self.done = Event(), Event()
        serve = code_server if codes is not None else mail_server
        self.server = Process(target=serve, args=(smtp_port, self.accepted, self.ready, self.done), daemon=True)

    def __enter__(self) -> Queue:
        self.server.start()
        if not self.ready.wait(30):
            raise Trouble("the mail server does not start")
        self.cloud.start()
        return self.accepted

    def __exit__(self, kind, *_):
        self.cloud.service.stop()
        self.done.set()
        self.server.join(10)
        if kind is queue.Empty:
            raise Trouble("not every mail came") from None


def code_server(port: int, codes: Queue, ready, done):
    """A mail server that hands over the codes in mails."""
    from aiosmtpd.controller import Controller

    class Handler:
        """Takes everything."""

        async def handle_DATA(self, _server, _session, envelope):
            """A mail, whole."""
            code = re.search(rb"(?m)^\s*(\d{4})\s*$", envelope.content)
            codes.put((envelope.rcpt_tos[0], code[1].decode() if code else ""))
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    ready.set()
    done.wait()
    controller.stop()


def visit(port: int, number: int, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, str]:
    """One request of a person with an address of their own: status, where it leads, page."""
    source = (f"127.1.{number // 250}.{number % 250 + 1}", 0)
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, source_address=source, context=trusting())
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    if fields is None:
        connection.request("GET", path)
    else:
        connection.request("POST", path, urlencode(fields), kind)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("location") or "", page


def ask_sign_up(port: int, number: int) -> str:
    """Answers the question in words; gives the path of the page that waits for the code."""
    _, _, page = visit(port, number, "/account/sign-up?riddle=words")
    question = re.search(r"How much is (\w+) plus (\w+)\?", page)
    token = re.search(r'name="riddle" value="([^"]+)"', page)
    if not question or not token:
        raise Trouble("the sign-up page has no question in words")
    answer = NUMBERS.index(question[1]) + NUMBERS.index(question[2])
    fields = {"email": f"person-{number}@bench.example", "riddle": token[1], "answer": str(answer)}
    status, path, page = visit(port, number, "/account/sign-up", fields)
    if status != 303:
        raise Trouble(f"sign-up was answered with {status}: {page[-400:]}")
    return path


def register(port: int, number: int, path: str, code: str):
    """Types the code and chooses name and password."""
    password = "Correct horse 1 battery"
    fields = {"code": code, "name": f"person{number}", "password": password, "again": password}
    status, _, page = visit(port, number, path, fields)
    if status != 303:
        raise Trouble(f"the code was answered with {status}: {page[-400:]}")


def main() -> int:
    """Measures what is named, or everything."""
    parts = ("photos", "mailbox", "sign_ups", "pages")
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of it: {' '.join(parts)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        app = App(options.programs.resolve(), Path(folder))
        try:
            for part in options.parts or parts:
                getattr(app, part)()
        except Trouble as trouble:
            print(f"\n{trouble}", file=sys.stderr)
            return 1
    options.out.write_text(json.dumps(app.figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
