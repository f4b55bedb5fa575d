"""`make lock`: compile the short requirement lists into hashed pins that name no index or path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ["--quiet", "--generate-hashes", "--universal", "--python-version", "3.11"]
OPTIONS += ["--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "make lock"]


def main() -> int:
    uv = str(Path(sys.executable).parent / "uv")
    upgrade = ["--upgrade"] if os.environ.get("UPGRADE") else []
    for name in ("requirements", "requirements-dev"):
        command = [uv, "pip", "compile", *OPTIONS, *upgrade, f"{name}.in", "-o", f"{name}.txt"]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
