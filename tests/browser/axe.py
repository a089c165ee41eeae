"""Fetches the accessibility checker axe-core, a pinned version, and checks what came."""

import base64
import hashlib
import subprocess
import tarfile
from pathlib import Path

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="


def script(folder: Path) -> str:
    """The checker's source, which a page runs; kept in a folder between runs."""
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / f"axe-core-{VERSION}.tgz"
    if not package.exists():
        subprocess.run(["npm", "pack", "--silent", f"axe-core@{VERSION}"], cwd=folder, check=True)
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != SHA512:
        package.unlink()
        raise ValueError(f"axe-core {VERSION} is not what it was: SHA-512 {found}")
    with tarfile.open(package) as files:
        member = files.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()
