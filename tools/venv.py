"""Make `.venv` hold exactly the pinned packages; does nothing when it already does. Needs only Python itself.

`python3 tools/venv.py run` installs what the product imports, `dev` what tests and checks need as well.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SETS = {"run": ["requirements.txt"], "dev": ["requirements.txt", "requirements-dev.txt"]}


def fingerprint(wanted: str) -> str:
    """Changes with the pins, the interpreter and the place: a moved environment has wrong paths."""
    digest = hashlib.sha256(f"{sys.version} {VENV}".encode())
    for name in SETS[wanted]:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def stamp(wanted: str) -> Path:
    return VENV / f".installed-{wanted}"


def current(wanted: str) -> bool:
    return stamp(wanted).is_file() and stamp(wanted).read_text() == fingerprint(wanted)


def create() -> None:
    """A fresh environment; Debian ships the venv module apart, and its own message is easily missed."""
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(f"Python cannot create virtual environments here: apt-get install python{version}-venv")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def install(wanted: str) -> None:
    """The environment is made anew when its interpreter or place changed, else brought up to the pins."""
    place = VENV / ".made-for"
    made_for = f"{sys.version} {VENV}"
    if not place.is_file() or place.read_text() != made_for:
        create()
        place.write_text(made_for)
    for name in SETS:
        stamp(name).unlink(missing_ok=True)
    files = [word for name in SETS[wanted] for word in ("-r", str(ROOT / name))]
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--require-hashes", *files], check=False).returncode:
        sys.exit("The pinned packages could not be installed; pip's reason is above")
    for name in {"run", wanted}:
        stamp(name).write_text(fingerprint(name))


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (that is what it tells)
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.11 ...")
    wanted = sys.argv[1]
    if current(wanted):
        return
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not current(wanted):
            print(f"Installing the pinned packages into {VENV.name} (once) ...", flush=True)
            install(wanted)


if __name__ == "__main__":
    main()
