#!/usr/bin/python3
"""The pages of recorder and cloud in a real browser. Called by scripts/test, which installs and builds
what this needs.

    tests/browser/run.py --programs target/debug [--target target] [--pictures] [TEST...]

Pictures of every page in every look are kept in the target's `screenshots`; --pictures also puts the good
ones into docs/pictures, small, for the README."""

import argparse
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(HERE), str(TOP / "scripts/world")]

# What the README shows: the name of a picture that a test takes, and its name there.
GOOD_ONES = {
    "mouse-*-forgot-code-desktop-light": "recorder-qr",
    "mouse-*-activate-phone-light": "recorder-activate",
    "mouse-*-overview-desktop-dark": "recorder-overview",
    "mouse-*-new-password-phone-dark": "recorder-new-password",
    "phone-*-relay-phone-light": "cloud-relay",
    "phone-*-status-phone-light": "cloud-status",
    "phone-*-mail-as-html-phone-light": "mail",
    "app-*-reset-phone-light": "app-reset",
    "recorders-*-online-phone-light": "app-recorders",
}


def copy_pictures(shots: Path, folder: Path):
    """Puts the good ones where the README finds them."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern, name in GOOD_ONES.items():
        found = sorted(shots.glob(f"{pattern}.png"))
        if not found:
            raise SystemExit(f"no picture {pattern} in {shots}: did a test lose it?")
        colours = ["pngquant", "--force", "--strip", "--speed", "1", "--output", f"{folder / name}.png", "64"]
        subprocess.run([*colours, str(found[0])], check=True)


def main() -> int:
    """Runs the tests, all or the named ones."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--target", type=Path, default=TOP / "target")
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    import cases

    cases.PROGRAMS, cases.TARGET = options.programs.resolve(), options.target.resolve()
    shots = cases.TARGET / "screenshots"
    for old in shots.glob("*.png"):
        old.unlink()
    loader = unittest.TestLoader()
    if options.tests:
        suite = loader.loadTestsFromNames(options.tests)
    else:
        suite = loader.discover(str(HERE), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    print(f"pictures of every page: {shots}")
    if options.pictures and result.wasSuccessful():
        copy_pictures(shots, TOP / "docs/pictures")
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
