"""Find a Chromium for the browser tests and print its path; install one where that is possible."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIX = "No browser for the tests: install Chromium, or set CHROMIUM=/path/to/chromium, then run make test again."


def from_environment() -> str | None:
    wanted = os.environ.get("CHROMIUM", "")
    return shutil.which(wanted) if wanted else None


def from_system() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def from_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def quietly(*command: str, seconds: int = 600) -> bool:
    """Only the path may reach standard output, which `make test` reads."""
    try:
        return subprocess.run(command, capture_output=True, timeout=seconds, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def downloaded() -> str | None:
    ok = quietly(sys.executable, "-m", "playwright", "install", "chromium", seconds=300)
    path = from_playwright() if ok else None
    return path if path and quietly(path, "--version", seconds=30) else None


def from_distribution() -> str | None:
    """Debian only: Ubuntu's package of that name is a snap, which does not run in a container."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    if not quietly("apt-get", "install", "-y", "--no-install-recommends", "chromium"):
        quietly("apt-get", "update")
        quietly("apt-get", "install", "-y", "--no-install-recommends", "chromium")
    return from_system()


def main() -> int:
    if os.environ.get("CHROMIUM") and not from_environment():
        print(f"CHROMIUM={os.environ['CHROMIUM']} is not a program that can be run.", file=sys.stderr)
        return 1
    for find in (from_environment, from_system, from_playwright, downloaded, from_distribution):
        if path := find():
            print(path)
            return 0
    print(FIX, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
