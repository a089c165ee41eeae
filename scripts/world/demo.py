#!/usr/bin/python3
"""Runs a world: for a person until Ctrl-C, or by itself with --check. Called by scripts/demo, which
installs and builds what this needs."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from check import Check
from contract import Broken
from world import RECOVERY_MAILBOX, TOP, Trouble, World


def say(text: str = ""):
    """A line to the person, at once."""
    print(text, flush=True)


def leave_socket(world: World):
    """Where `latchkey-panel` looks for the recorder of a demo: its socket is inside of the recorder's boot."""
    assert world.recorder.boot is not None
    place = TOP / "target/demo/console.socket"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(world.recorder.boot.path(world.recorder.runtime / "console.socket"))


def for_a_person(world: World):
    """Leaves it running until Ctrl-C."""
    recorder = world.recorder
    leave_socket(world)
    say(
        f"""
  recorder      {recorder.address}
  mail          {world.mail.address}
  cloud         {world.cloud.address}
  its operators {world.cloud.operators_address}

  1. Open the recorder. Its certificate is self-made, so the browser warns: compare the
     fingerprint, then go on ("Advanced", "Proceed"). SHA-256 of the certificate:
       {recorder.fingerprint()[:47]}
       {recorder.fingerprint()[48:]}
  2. Choose a password, and an email under "Reserved Email Settings" (any address: every
     mail ends at the mail page).
  3. Sign out, and follow "Forgot password?" as far as the QR code. This machine is your phone,
     too: open the QR code's link at the cloud, and tap "Send the code".
  4. Read the code on the mail page, type it at the recorder, and choose a new password.
  5. Under Configuration > Platform access, switch it on: the recorder comes online, and the
     operators' page counts it. From now on the QR code's page has "Send the code now", which
     needs no phone.
  6. Or without both: "Export" saves the QR code as a picture. Mailed as an attachment to
     {RECOVERY_MAILBOX} (by SMTP at 127.0.0.1:{world.mail.smtp_port}), it brings the code, too.
  7. The cloud's pages are the app: create an account there (its code comes to the mail page), and
     add the recorder by the QR code under Platform access. It shows when the recorder is online.

  The recorder's own screen, in a window: cargo run -p latchkey-panel
"""
    )
    commands = {"c": "crash the recorder's daemon (kill -9) and start it again"}
    if recorder.can_reboot:
        commands["r"] = "reboot the recorder"
    interactive = sys.stdin.isatty()
    if interactive:
        say("  " + "; ".join(f"{key} + Enter: {what}" for key, what in commands.items()))
    say(f"  State and logs: {world.folder}")
    say("  Ctrl-C ends it.")
    while True:
        command = sys.stdin.readline() if interactive else ""
        if not command:
            signal.pause()
        elif command.strip() == "c":
            recorder.crash()
            say("  crashed, and started again: a pending code is still valid")
        elif command.strip() == "r" and recorder.can_reboot:
            recorder.reboot()
            leave_socket(world)
            say("  rebooted: a pending code is dead")


def check(world: World) -> int:
    """Runs the check and says how it ended."""
    steps = Check(world)
    try:
        steps.run()
        return 0
    except (Trouble, Broken, OSError, KeyError, ValueError) as error:
        reason = f"no {error} in the answer" if isinstance(error, KeyError) else error
        print(f"FAILED, at: {steps.step}\n  {reason}\n  Logs and state: {world.folder}", file=sys.stderr)
        return 1


def main() -> int:
    """Runs a world in a folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--board", default="host", help="the name of the recorder's file in board/")
    parser.add_argument("--programs", type=Path, required=True)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    folder = (options.dir or Path(tempfile.mkdtemp(prefix="latchkey-demo-"))).resolve()
    ended = 1
    try:
        programs = options.programs.resolve()
        with World(folder, programs, tell=lambda what: say(f"  starting: {what}"), board=options.board) as world:
            world.start()
            if options.check:
                ended = check(world)
            else:
                for_a_person(world)
    except KeyboardInterrupt:
        ended = 130 if options.check else 0
        say(
            "\n  Stopped."
            if options.check
            else f"\n  Stopped. State and logs stay in {folder}; delete it when you like."
        )
    except Trouble as trouble:
        print(f"\n{trouble}\n  Logs and state: {folder}", file=sys.stderr)
    if options.check and ended == 0 and options.dir is None:
        shutil.rmtree(folder)
    return ended


if __name__ == "__main__":
    sys.exit(main())
