"""Child processes: started, restarted when they die, and stopped so that they can finish their work."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

DRAIN_SECONDS = 25.0
LONGEST_BACKOFF = 15.0
QUIET_SECONDS = 30.0
PR_SET_PDEATHSIG = 1


def say(line: str) -> None:
    """Print one line at once; a reader that went away must not stop the supervisor from stopping the rest."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # open until the process ends


def die_with_parent() -> None:
    """On Linux ask the kernel for SIGTERM when the parent is gone, even if it was killed outright."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _follow(supervisor: int) -> Callable[[], None]:
    """What a child does before its program: close the gap between fork and the kernel's promise."""

    def prepare() -> None:
        die_with_parent()
        if os.getppid() != supervisor:
            os._exit(1)

    return prepare


@dataclass
class Child:
    """One program in its own session, so that Ctrl-C in a terminal reaches it only through the supervisor."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    keep_fds: tuple[int, ...] = ()
    stdout: int | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    _started: float = field(default=0.0, repr=False)
    _restart_at: float | None = field(default=None, repr=False)

    def start(self) -> None:
        self._restart_at = None
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            list(self.argv),
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=self.stdout,
            pass_fds=self.keep_fds,
            start_new_session=True,
            preexec_fn=_follow(os.getpid()),  # noqa: PLW1509 (the supervisor has one thread)
        )

    def exit_code(self) -> int | None:
        """None while it runs, or before it was ever started."""
        return self.process.poll() if self.process else None

    def tend(self) -> None:
        """Start it again when it died: at once the first time, then after a pause that doubles up to 15 s."""
        if self._restart_at is not None:
            if time.monotonic() >= self._restart_at:
                self.start()
            return
        code = self.exit_code()
        if code is None:
            return
        self._end_group()
        self.deaths = 1 if time.monotonic() - self._started > QUIET_SECONDS else self.deaths + 1
        pause = 0.0 if self.deaths == 1 else min(LONGEST_BACKOFF, 0.5 * 2 ** (self.deaths - 1))
        self._restart_at = time.monotonic() + pause
        say(f"{self.name} stopped by itself ({_reason(code)}); starting it again in {pause:.1f} s")

    def stop(self) -> None:
        """SIGTERM, time to drain, then SIGKILL for it and whatever it left in its group."""
        self._restart_at = None
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"{self.name} did not finish within {DRAIN_SECONDS:.0f} s and was killed")
        self._end_group()
        self.process.wait()
        self.process = None

    def _end_group(self) -> None:
        """The session leader's id is its group's; an empty group is the usual case."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass


def _reason(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
