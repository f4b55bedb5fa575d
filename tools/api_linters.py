"""Bring the two linters of the API's description, pinned by `tools/api_lint/package-lock.json`, into that folder.

They are programs for Node. Where it is missing one line says so, and the tests that need them are left out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent / "api_lint"
PROGRAMS = HERE / "node_modules" / ".bin"
STAMP = HERE / "node_modules" / ".installed"
OLDEST = (20, 19)
INSTALL = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
# Without a network it is to be known in seconds, not after npm's minutes of patience.
INSTALL += ["--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=2000", "--fetch-timeout=30000"]
LONGEST = 240  # seconds


class Missing(Exception):
    """They cannot be had here. The argument says why, in one line."""


def bring() -> None:
    """See to it that the programs are there; raises `Missing`."""
    npm, wanted = _npm(), fingerprint()
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _holds(wanted):
            print("Installing the linters of the API's description (once) ...", flush=True)
            _install(npm)
            STAMP.write_text(wanted)


def programs() -> Path:
    """The folder of the programs where `bring` has been; raises `Missing`. Asks no network."""
    _npm()
    if not _holds(fingerprint()):
        raise Missing("The linters of the API's description are brought by: make linters")
    return PROGRAMS


def _holds(wanted: str) -> bool:
    return STAMP.is_file() and STAMP.read_text() == wanted


def fingerprint() -> str:
    """Changes with Node and the pins."""
    return hashlib.sha256(_node().encode() + (HERE / "package-lock.json").read_bytes()).hexdigest()


def _node() -> str:
    return subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()


def _npm() -> str:
    """Where npm is, if it and a Node that is new enough are here."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Missing(
            "npm is not here: the API's description is checked by its two linters only with Node 20.19 or newer"
        )
    found = re.match(r"v(\d{1,4})\.(\d{1,4})", _node())
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        raise Missing(f"Node 20.19 or newer is needed for the linters of the API's description, this is {_node()}")
    return npm


def _install(npm: str) -> None:
    """Twice at most: registries have their moments."""
    for _ in range(2):
        try:
            done = subprocess.run(
                [npm, *INSTALL], cwd=HERE, capture_output=True, text=True, check=False, timeout=LONGEST
            )
        except subprocess.TimeoutExpired:
            raise Missing("npm did not bring the linters of the API's description in four minutes") from None
        if not done.returncode:
            return
    reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[0]
    raise Missing(f"npm could not bring the linters of the API's description: {reason}")


def main() -> int:
    try:
        bring()
    except Missing as why:
        print(why, file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
