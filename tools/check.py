"""`make check`: every tool that holds the house rules; all run, so that one look shows every fault.

With names, those alone: `.pre-commit-config.yaml` asks for each of them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "layers": ["lint-imports"],
    "dead-code": ["python", "tools/check_dead.py"],
    "template-lint": ["djlint", "--lint", "--quiet", "app/templates"],
    "security": ["bandit", "-q", "-c", "pyproject.toml", "-r", "app"],
    "translations": ["python", "tools/check_translations.py"],
    "vendored-files": ["python", "tools/check_vendor.py"],
    "picture": ["python", "tools/draw_house.py", "--check"],
}
VULNERABILITIES = "vulnerabilities"
AUDIT = ["pip-audit", "--progress-spinner", "off", "--disable-pip", "-r", "requirements.txt"]
AUDITED_BY = ("pypi.org", 443)


def passes(name: str, command: list[str]) -> bool:
    """Run one tool; what it says is worth reading only when it fails."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'}  {name}", flush=True)
    if done.returncode:
        print(done.stdout.rstrip(), flush=True)
    return done.returncode == 0


def audit() -> bool:
    """Known vulnerabilities; without the network there is nothing to ask, which is no fault of the code."""
    try:
        socket.create_connection(AUDITED_BY, 3).close()
    except OSError:
        print(f"skip  {VULNERABILITIES} (no network)")
        return True
    done = subprocess.run([str(BIN / AUDIT[0]), *AUDIT[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    found = done.returncode != 0 and "vulnerabilit" in done.stderr and "Name" in done.stdout
    if done.returncode and not found:
        print(f"skip  {VULNERABILITIES} (the service did not answer)")
        return True
    print(f"{'FAIL' if found else 'ok  '}  {VULNERABILITIES}")
    if found:
        print(done.stdout.rstrip())
    return not found


def main() -> int:
    chosen = sys.argv[1:] or [*CHECKS, VULNERABILITIES]
    results = [audit() if name == VULNERABILITIES else passes(name, CHECKS[name]) for name in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
