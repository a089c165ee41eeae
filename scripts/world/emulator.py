"""The emulated board under power: QEMU, the serial console, and a second serial line to command it by."""

import codecs
import os
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

from image import Image
from machine import Machine
from qmp import Qmp
from world import DAEMON_READY, Trouble

BOOT_S_MAX = 180
ANSWER_S_MAX = 120
READY = DAEMON_READY
# What rcS says where nothing good can follow.
LOST = "rcS: no data partition"


class Emulator:
    """One board: what it boots, and the machine. Its console goes to a log."""

    def __init__(self, image: Image, machine: Machine, log: Path):
        self.image, self.machine, self.log = image, machine, log
        self.process: subprocess.Popen | None = None
        self.lines: list[str] = []
        # What came after the last whole line: a prompt ends with no newline.
        self.unfinished = ""
        self.news = threading.Condition()
        self.reader: threading.Thread | None = None
        self.shell: Shell | None = None
        self.control: Qmp | None = None

    def power_on(self) -> float:
        """Boots, and gives the seconds until the daemon said that it is ready."""
        started = time.monotonic()
        self.start()
        self.wait_for(READY)
        return time.monotonic() - started

    def start(self):
        """Switches it on, and waits for nothing but the emulator."""
        with self.news:
            self.lines.clear()
            self.unfinished = ""
        for stale in (self.machine.qmp, self.machine.shell_socket):
            stale.unlink(missing_ok=True)
        command = self.machine.command(self.image.kernel, self.image.initramfs, self.image.device_tree)
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "nice", "-n", str(max(0, -os.nice(0))), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.reader = threading.Thread(target=self.read, args=(self.process,), daemon=True)
        self.reader.start()
        try:
            self.control = Qmp(self.machine.qmp)
            if self.machine.shell:
                self.shell = Shell(self.machine.shell_socket)
        except (OSError, Trouble) as error:
            self.cut_power()
            raise Trouble(f"the emulator did not start: {error}\n{self.tail()}") from None

    def read(self, process: subprocess.Popen):
        """Keeps what the serial console says."""
        assert process.stdout
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with self.log.open("ab") as log:
            while some := os.read(process.stdout.fileno(), 65536):
                log.write(some)
                log.flush()
                with self.news:
                    *lines, self.unfinished = (self.unfinished + decoder.decode(some)).split("\n")
                    self.lines += [line.rstrip() for line in lines]
                    self.news.notify_all()
        with self.news:
            self.news.notify_all()

    def type(self, text: str):
        """Types on the serial console."""
        assert self.process and self.process.stdin
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def mark(self) -> int:
        """A place in what the console said: `wait_for` can look at what came after it."""
        with self.news:
            return len(self.lines)

    def wait_for(self, pattern: str, after: int = 0, wait_s: float = BOOT_S_MAX, unless=lambda: False) -> str:
        """A line of the console that matches; waits for it. Empty if meanwhile `unless` became true."""
        until = time.monotonic() + wait_s
        seen = after
        with self.news:
            while not unless():
                for line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return line
                    if line == LOST:
                        raise Trouble(f"the board could not mount its data:\n{self.tail()}")
                seen = len(self.lines)
                if self.process is None or self.process.poll() is not None:
                    raise Trouble(f"the emulator ended, and the console did not say `{pattern}`:\n{self.tail()}")
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise Trouble(f"{wait_s:.0f} s went by, and the console did not say `{pattern}`:\n{self.tail()}")
                # Whoever makes `unless` true calls `wake`.
                self.news.wait(left_s)
        return ""

    def wait_for_prompt(self, pattern: str, after: int):
        """Waits until the console has said something, be it a part of a line, since a mark."""
        self.wait_until(lambda: re.search(pattern, "\n".join([*self.lines[after:], self.unfinished])), BOOT_S_MAX)

    def wait_until(self, happened, wait_s: float = ANSWER_S_MAX):
        """Waits for something that is no line of the console; whoever makes it true calls `wake`."""
        until = time.monotonic() + wait_s
        with self.news:
            while not happened():
                if not self.news.wait(until - time.monotonic()):
                    raise Trouble(f"{wait_s:.0f} s went by without an answer:\n{self.tail()}")

    def wake(self):
        """Lets those who wait look again."""
        with self.news:
            self.news.notify_all()

    def tail(self) -> str:
        """The end of what the console said."""
        return "\n".join(f"      {line}" for line in [*self.lines, self.unfinished][-15:])

    def must(self, command: str) -> str:
        """Runs a command as root on the board; trouble if it fails."""
        assert self.shell is not None
        status, output = self.shell.run(command)
        if status != 0:
            raise Trouble(f"on the board, `{command}` ended with {status}:\n{output}")
        return output

    def soft_reboot(self) -> float:
        """An orderly reboot, asked of its init; gives the seconds until the daemon said that it is ready."""
        assert self.shell is not None
        started, before = time.monotonic(), self.mark()
        self.shell.send("reboot")
        self.wait_for(r"rcS: done", before)
        # The emulator goes on; the board's end of the line is a new one.
        self.shell.close()
        self.shell = Shell(self.machine.shell_socket)
        self.wait_for(READY, before)
        return time.monotonic() - started

    def cut_power(self):
        """Off, without a word to anybody. What the board gave to its disk before is kept."""
        for end in (self.shell, self.control):
            if end is not None:
                end.close()
        self.shell = self.control = None
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            if self.reader:
                self.reader.join()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe:
                    pipe.close()
            self.process = None


class Shell:
    """Root's shell on the board, by a serial line of the test's own: the console is the board's."""

    def __init__(self, path: Path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(ANSWER_S_MAX)
        self.connection.connect(str(path))
        self.number = 0
        self.pending = b""

    def send(self, text: str):
        """A line to the shell, without waiting for what comes of it."""
        self.connection.sendall(f"{text}\n".encode())

    def run(self, command: str) -> tuple[int, str]:
        """Runs a command to its end: its exit code and what it printed. Waits until there is a shell."""
        self.number += 1
        # In two parts, so that an echo of the line is not taken for the answer.
        self.send(f"{command}\nprintf '\\n%s%s %d\\n' @end@ {self.number} $?")
        output, status = self.until(rf"\n@end@{self.number} (\d+)\r?\n")
        return int(status), output

    def until(self, pattern: str) -> tuple[str, str]:
        """What comes before a pattern, and its group."""
        until = time.monotonic() + ANSWER_S_MAX
        while not (found := re.search(pattern.encode(), self.pending)):
            if time.monotonic() > until:
                raise Trouble(f"the board's shell gave no answer: {self.pending[-500:]!r}")
            try:
                some = self.connection.recv(65536)
            except TimeoutError:
                some = b""
            if not some:
                raise Trouble(f"the board's shell is gone, or silent: {self.pending[-500:]!r}")
            self.pending += some
        output = self.pending[: found.start()].decode(errors="replace")
        self.pending = self.pending[found.end() :]
        return output.strip("\r\n"), found[1].decode()

    def close(self):
        """Ends the connection."""
        self.connection.close()
