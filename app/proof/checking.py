"""An uploaded receipt is checked by the public tool in a process of its own, one at a time, within limits.

Whatever a file does to the parsers of PDF and ASN.1, it costs the web neither its lock nor its memory, and the process
that reads it has none of our keys.
"""

from __future__ import annotations

import os
import resource
import subprocess  # nosec B404  our own tool, whose command line holds nothing that was sent
import sys
import threading
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "verify_receipt.py"
SECONDS = 15  # a receipt takes half of one
MEMORY = 1024 * 1024 * 1024  # of addresses; a receipt takes 60 MB
PATIENCE = 5.0  # that the one who comes second waits; a third is sent away
_PLACES, _TURN = threading.BoundedSemaphore(2), threading.Lock()


class NotValid(ValueError):
    """The file is not a valid receipt; the argument is what the tool says."""


class Busy(Exception):
    """Others' receipts are being checked."""


def check(pdf: bytes, roots: bytes) -> dict[str, str]:
    """What a valid receipt says. Raises `NotValid` and `Busy`."""
    if not pdf.startswith(b"%PDF"):  # the tool reads exports of the register too
        raise NotValid("not a receipt: it is no PDF")
    if not _PLACES.acquire(blocking=False):
        raise Busy
    try:
        if not _TURN.acquire(timeout=PATIENCE):
            raise Busy
        try:
            return _checked(pdf, roots)
        finally:
            _TURN.release()
    finally:
        _PLACES.release()


def _checked(pdf: bytes, roots: bytes) -> dict[str, str]:
    readable, writable = os.pipe()  # the roots are a few kilobytes, which a pipe holds
    with os.fdopen(readable, "rb"), os.fdopen(writable, "wb") as roots_in:
        roots_in.write(roots)
        roots_in.close()
        command = [sys.executable, "-I", str(TOOL), "/dev/stdin", "--root", f"/dev/fd/{readable}"]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        clean = {"PYTHONUTF8": "1"}
        # Nothing of a request is in the command.
        with subprocess.Popen(command, pass_fds=[readable], env=clean, **pipes) as tool:  # type: ignore[call-overload]  # noqa: S603  # nosec B603
            try:
                _limit(tool.pid)
                answer, fault = tool.communicate(pdf, timeout=2 * SECONDS)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                tool.kill()
                raise NotValid("it takes too long to read") from None
    if tool.returncode:
        raise NotValid(fault.decode("utf-8", "replace").rpartition("NOT VALID: ")[2].strip()[:500])
    return dict(line.split(": ", 1) for line in answer.decode().splitlines() if ": " in line)


def _limit(process: int) -> None:
    """Linux alone lets one process limit another; elsewhere its time is watched, and its memory is not."""
    if hasattr(resource, "prlimit"):
        resource.prlimit(process, resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.prlimit(process, resource.RLIMIT_CPU, (SECONDS, SECONDS))
