"""The steps of the test on the emulated board: the whole way of a reset against the real cloud, then what
must kill a code and what must not."""

from check import Check, expect
from networks import ask_from_far
from board_world import BoardWorld

SERIAL = "LK-QEMU-0001"


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
        self.crash()
        self.reboot()
        self.power_cut()
        self.email_change()

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
