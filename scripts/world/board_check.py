"""The steps of the test on the emulated board: the whole way of a reset against the real cloud, then what
must kill a code and what must not."""

import time
from datetime import datetime, timezone

from board_platform import BoardPlatform
from board_world import BoardWorld
from check import Check, expect, new_password
from emulator import ANSWER_S_MAX, READY
from networks import ask_from_far
from world import Trouble

SERIAL = "LK-QEMU-0001"
# The user of board/base.toml's [privileges].
USER = "59443"
CAP_NET_BIND_SERVICE = 10
# A board's clock is set by a command that takes its time.
CLOCK_S_MAX = 600


class BoardCheck(Check):
    """As `Check`, with the board as the recorder."""

    world: BoardWorld

    def __init__(self, world: BoardWorld):
        super().__init__(world)
        self.log = world.folder / "commands.log"

    def run(self):
        """Everything that needs one board and its data."""
        emulator = self.world.recorder.emulator
        self.step = "the first boot"
        self.done(f"booted a factory-new board: ready after {emulator.power_on():.1f} s")
        self.world.recorder.identify(self.world.cloud, self.world.folder)
        self.done("made its key, and installed what the factory signed, by its console")
        self.read_documents()
        expect(self.describe()["serial"], SERIAL, "the board's serial")
        self.off_link()
        self.activate()
        self.reset()
        self.system_login()
        self.crash()
        self.reboot()
        self.power_cut()
        self.clock()
        self.email_change()
        self.rights()
        self.watchdog()
        BoardPlatform(self).run()

    def off_link(self):
        """A client behind a router is refused, whatever it asks to change."""
        self.step = "a client behind a router"
        for method, path, body in (
            ("POST", "/activation", {"password": self.password}),
            ("POST", "/reset/challenge", {"terms_accepted": True}),
        ):
            status, problem = ask_from_far(method, path, body, self.log)
            expect((status, problem["type"]), (403, "urn:latchkey:problem:not-on-this-network"), f"{path} off the link")
        expect(self.describe()["lifecycle"], "inactive", "after a refused activation")
        self.done("refused to be activated, and a reset, by a client behind a router")

    def system_login(self):
        """The recorder's own software: the system lets the admin in on the serial console with the password that the
        hook gave it, and with no other. What a hook could not take is told again at the next sign-in."""
        self.step = "login on the serial console"
        board = self.world.recorder.emulator
        self.other_software("settled")
        self.prompt(0)
        expect(self.logs_in(self.old_password), False, "the password before the reset logs in on the serial console")
        expect(self.logs_in(self.password), True, "the new password logs in on the serial console")
        self.done("after the reset its new password logged in on the serial console, and the old one did not")

        self.step = "a hook that fails"
        board.must("mv /data/etc/passwd /data/etc/away")
        self.sign_in()
        self.old_password, self.password = self.password, new_password()
        self.device.must("PUT", "/admin/password", {"current": self.old_password, "new": self.password})
        self.other_software("failing")
        before = board.mark()
        self.world.recorder.reboot()
        self.other_software("at-next-sign-in")
        board.must("mv /data/etc/away /data/etc/passwd")
        self.prompt(before)
        expect(self.logs_in(self.old_password), True, "the last password that a hook took still logs in")
        self.sign_in()
        self.other_software("settled")
        expect(self.logs_in(self.old_password), False, "the old password logs in after the hook was told again")
        expect(self.logs_in(self.password), True, "the new password logs in after the hook was told again")
        self.sign_out()
        self.done("a hook that failed was told again after a restart, at the next sign-in")

    def other_software(self, wanted: str):
        """Waits until the recorder says so of the hooks."""
        until = time.monotonic() + ANSWER_S_MAX
        while (found := self.describe()["other_software"]) != wanted:
            if time.monotonic() > until:
                raise Trouble(f"the recorder's other software: {found}, and not {wanted} within {ANSWER_S_MAX} s")

    def prompt(self, after: int):
        """Waits for the serial console's invitation to sign in."""
        self.world.recorder.emulator.wait_for_prompt(r"sign in as admin[\s\S]*login: ", after)

    def logs_in(self, password: str) -> bool:
        """Whether the serial console lets the admin in. Its prompt is there before, and again after."""
        board = self.world.recorder.emulator
        before = board.mark()
        board.type("admin\n")
        board.wait_for_prompt("Password: ", before)
        board.type(f"{password}\n")
        board.wait_for_prompt(r"Login incorrect[\s\S]*login: |~ # ", before)
        let_in = not any("Login incorrect" in line for line in board.lines[before:])
        after = board.mark()
        if let_in:
            board.type('echo "let in as $USER with $(id -u)"; exit\n')
            board.wait_for("^let in as admin with 0$", after)
        else:
            # It asks again by itself, for a minute; an end of input ends that, and another one invites.
            board.type("\x04")
        self.prompt(after)
        return let_in

    def power_cut(self):
        """A power cut kills the code, and keeps everything else."""
        self.step = "power cut with a code pending"
        self.sign_out()
        before = self.describe()
        code = self.code_for(self.forget())
        self.world.recorder.cut_power()
        self.code_is_dead(code, "rebooted")
        expect(self.describe(), before, "what anyone sees, after a power cut")
        self.sign_in()
        self.done("a power cut with a code pending: the code was refused, with the reason; the rest was kept")

    def set_clock(self, year: int):
        """Sets the board's wall clock, and sees that it is set."""
        wanted = int(datetime(year, 1, 2, tzinfo=timezone.utc).timestamp())
        self.world.recorder.emulator.must(f"set-clock {wanted}")
        # The kernel tells the start of its boot by the wall clock, in 64 bits.
        told = self.world.recorder.emulator.must("grep btime /proc/stat; cut -d. -f1 /proc/uptime").split()
        now = int(told[1]) + int(told[2])
        expect(abs(now - wanted) < CLOCK_S_MAX, True, f"the board's clock is set to {year}: it has {now} for {wanted}")

    def clock(self):
        """The wall clock decides nothing: not in 1970, and not past the end of 32 bits in 2038."""
        self.step = "wall clock at 1970 and in 2039"
        self.sign_out()
        link = self.forget()
        code = self.code_for(link)
        for year in (1970, 2039):
            self.set_clock(year)
            expect(self.forget(), link, f"the QR code with the clock in {year}")
        self.world.recorder.crash()
        expect(self.forget(), link, "the QR code after kill -9 in 2039")
        self.set_password(self.verify(code))
        self.sign_in()
        self.sign_out()
        link = self.forget()
        code = self.code_for(link)
        self.set_clock(1970)
        expect(self.forget(), link, "the QR code of 2039 with the clock in 1970")
        self.set_password(self.verify(code))
        self.sign_in()
        self.done("with the clock at 1970 and in 2039 codes stayed valid, the daemon started, and TLS answered")

    def rights(self):
        """The daemon runs as a user of its own, with no way back to root, and leaves no core dump."""
        self.step = "rights of the daemon"
        board = self.world.recorder.emulator
        helpers = 0
        for process in board.must("pidof latchkeyd").split():
            if "hook-helper" in board.must(f"cat /proc/{process}/cmdline"):
                # What runs the hooks stays root, and reads nothing that a stranger sent.
                helpers += 1
                continue
            status = dict(line.split(":", 1) for line in board.must(f"cat /proc/{process}/status").splitlines())
            if "latchkeyd" not in status["Name"]:
                raise Trouble(f"process {process} is {status['Name']}")
            for name in ("Uid", "Gid"):
                expect(set(status[name].split()), {USER}, f"{name} of the daemon")
            expect(status["Groups"].split(), [], "further groups of the daemon")
            # Ports below 1024 are bound anew when an interface comes back; nothing else is left.
            expect(int(status["CapPrm"], 16) & ~(1 << CAP_NET_BIND_SERVICE), 0, "capabilities of the daemon")
            expect(status["NoNewPrivs"].strip(), "1", "NoNewPrivs of the daemon")
            limits = board.must(f"grep core /proc/{process}/limits").split()
            expect(limits[4:6], ["0", "0"], "the largest core dump of the daemon")
        expect(helpers, 1, "processes that run hooks")
        listed = board.must("stat -c '%a %u %n' /data/latchkey /data/latchkey/* /run/latchkey/pending-* 2>/dev/null; true")
        for line in listed.splitlines():
            mode, user, name = line.split(maxsplit=2)
            expect((mode, user), ("700" if name == "/data/latchkey" else "600", USER), f"mode and owner of {name}")
        self.done(f"the daemon runs as user {USER} without root's rights or core dumps; its files are its own alone")

    def watchdog(self):
        """A daemon that hangs is not fed for: the board starts anew by itself."""
        self.step = "a daemon that hangs"
        board = self.world.recorder.emulator
        before = board.mark()
        board.must("kill -STOP $(pidof latchkeyd)")
        board.wait_for(READY, before)
        self.sign_in()
        self.done("a daemon that hung made the kernel's watchdog start the board anew")
