"""A light load: eight kept connections from one process, the same for floor and product."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

CONNECTIONS = 8


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Result:
    rate: float
    p99_ms: float


def run(
    port: int, requests: Iterator[Request], seconds: float, expected: int, *, connections: int = CONNECTIONS
) -> Result:
    """Send until time or requests run out; raise when an answer is not the expected one."""
    took: list[float] = []
    faults: list[str] = []
    lock = threading.Lock()
    began = time.perf_counter()
    end = began + seconds

    def worker() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        mine: list[float] = []
        while time.perf_counter() < end and not faults:
            with lock:
                request = next(requests, None)
            if request is None:
                break
            start = time.perf_counter()
            connection.request(request.method, request.path, request.body, dict(request.headers))
            answer = connection.getresponse()
            answer.read()
            mine.append(time.perf_counter() - start)
            if answer.status != expected:
                faults.append(f"{request.method} {request.path[:12]} answered {answer.status}")
        connection.close()
        with lock:
            took.extend(mine)

    threads = [threading.Thread(target=worker) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise SystemExit(faults[0])
    spent = time.perf_counter() - began
    took.sort()
    return Result(len(took) / spent, took[max(0, int(len(took) * 0.99) - 1)] * 1000)
