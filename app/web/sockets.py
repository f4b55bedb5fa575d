"""A listening socket for each web process, where Linux spreads callers over sockets (SO_REUSEPORT).

Processes that share one socket do not share its callers: whoever wakes first takes all that come together, and keeps
their connections while the others idle. With gunicorn's own setting (`reuse_port`) each process opens its socket, so
callers who wait at it are refused when the process ends, and a socket of the file system or of systemd is lost. Here
gunicorn's main process opens and holds them all: a process leaves those who wait to the one that comes after it.
"""

from __future__ import annotations

import socket
import sys
from collections import Counter
from typing import Any

from gunicorn import sock, systemd


def open_for_each(arbiter: Any) -> None:
    """Before anything listens. Otherwise gunicorn opens what all share: sockets that it was handed, by systemd or by
    the process that it follows, those of the file system, a kernel that knows nothing of this."""
    handed = arbiter.master_pid or systemd.listen_fds(unset_environment=False)
    by_name = not all(isinstance(address, tuple) for address in arbiter.cfg.address)
    if handed or by_name or arbiter.num_workers < 2 or sys.platform != "linux":
        return
    # Shared ones first: two products may share a port no more than before, and gunicorn says so where they would.
    shared = sock.create_sockets(arbiter.cfg, arbiter.log)
    wanted = [(type(one), one.getsockname()) for one in shared]
    sock.close_sockets(shared)
    opened: list[Any] = []
    try:
        for kind, address in wanted * arbiter.num_workers:
            opened.append(_opened(kind, address, arbiter))
    except OSError:
        sock.close_sockets(opened)
    else:
        arbiter.LISTENERS = opened


def _opened(kind: Any, address: Any, arbiter: Any) -> Any:
    with socket.socket(kind.FAMILY, socket.SOCK_STREAM) as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        own.bind(address)
        return kind(address, arbiter.cfg, arbiter.log, fd=own.detach())


def choose(arbiter: Any, worker: Any) -> None:
    """Before a process is made: of each address the socket that the fewest have."""
    used = _used(arbiter)
    worker.sockets = [min(same, key=lambda one: used[id(one)]) for same in _by_address(arbiter)]


def keep_own(arbiter: Any, worker: Any) -> None:
    """In the new process."""
    for one in arbiter.LISTENERS:
        if one not in worker.sockets:
            one.close()


def close_spare(arbiter: Any) -> None:
    """Where there are fewer processes than sockets, callers would wait at one for ever."""
    used = _used(arbiter)
    for same in _by_address(arbiter):
        spare = [one for one in same if not used[id(one)]]
        for one in spare[: max(0, len(same) - max(1, arbiter.num_workers))]:
            arbiter.LISTENERS.remove(one)
            one.close()


def _used(arbiter: Any) -> Counter[int]:
    return Counter(id(one) for worker in arbiter.WORKERS.values() for one in worker.sockets)


def _by_address(arbiter: Any) -> list[list[Any]]:
    found: dict[Any, list[Any]] = {}
    for one in arbiter.LISTENERS:
        found.setdefault(one.getsockname(), []).append(one)
    return list(found.values())
