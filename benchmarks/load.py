"""A light load: eight kept connections from one client, the same for floor and product.

The client is `wrk` where it is installed: it is written in C and leaves the processors to the servers. Otherwise it is
threads of Python, which take a third of one core and more.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8
MOST = 25_000  # requests made ready for one run
WRK = shutil.which("wrk")
CLIENT = "wrk" if WRK else "threads of Python (wrk is not installed)"
SERVERS: dict[int, int] = {}  # the main process that serves a port, in whose children the work is done
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def written(self, port: int) -> bytes:
        fields = [("Host", f"127.0.0.1:{port}"), *self.headers]
        if self.body is not None:
            fields.append(("Content-Length", str(len(self.body))))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
        return "\r\n".join(lines).encode() + (self.body or b"")


@dataclass(frozen=True)
class Result:
    """Answers a second, the 99th percentile, and what the server's processors did for one request."""

    rate: float
    p99_ms: float
    cpu_us: float = 0.0


def run(
    port: int,
    requests: Iterator[Request],
    seconds: float,
    expected: int,
    *,
    connections: int = CONNECTIONS,
    most: int = MOST,
) -> Result:
    """Send until time or requests run out; raise when an answer is not the expected one."""
    before = processor_seconds(port)
    client = by_wrk if WRK else by_threads
    answers, spent, p99 = client(port, itertools.islice(requests, most), seconds, expected, connections)
    return Result(answers / spent, p99, (processor_seconds(port) - before) / max(1, answers) * 1_000_000)


def processor_seconds(port: int) -> float:
    """What the processes behind a port have used of the processors."""
    main = SERVERS[port]
    total = 0
    for pid in Path(f"/proc/{main}/task/{main}/children").read_text().split():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


SCRIPT = """
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long sec; long usec; } moment;
  int gettimeofday(moment *at, void *zone);
  int getpid(void);
  int kill(int pid, int signal);
]]
local threads, made, at, tried = {}, {}, 0, false
local expected = tonumber(os.getenv("BENCH_EXPECTED"))
began, ended, wrong = 0, 0, 0

local function now()
  local moment = ffi.new("moment")
  ffi.C.gettimeofday(moment, nil)
  return tonumber(moment.sec) + tonumber(moment.usec) / 1e6
end

function setup(thread) table.insert(threads, thread) end

function init()
  local file = io.open(os.getenv("BENCH_REQUESTS"), "rb")
  for size in function() return file:read("*l") end do table.insert(made, file:read(tonumber(size))) end
end

function request()
  if not tried then  -- wrk asks once before it begins, and sends nothing
    tried = true
    return made[1]
  end
  if began == 0 then began = now() end
  at = at + 1
  if made[at] then return made[at] end
  if ended == 0 then
    ended = now()
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)  -- the main thread would sleep until its time is over
  end
  return ""
end

if expected ~= 200 then
  function response(status) if status ~= expected then wrong = wrong + 1 end end
end

function done(summary, latency)
  local first, last, errors = threads[1]:get("began"), threads[1]:get("ended"), summary.errors
  local faults = threads[1]:get("wrong") + errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('\\nDONE {"answers": %d, "seconds": %f, "p99": %f, "faults": %d}\\n', summary.requests,
    last > 0 and last - first or summary.duration / 1e6, latency:percentile(99) / 1e3, faults))
end
"""


def by_wrk(
    port: int, requests: Iterator[Request], seconds: float, expected: int, connections: int
) -> tuple[int, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        script, made = Path(folder) / "load.lua", Path(folder) / "requests"
        script.write_text(SCRIPT)
        written = [one.written(port) for one in requests]
        made.write_bytes(b"".join(b"%d\n%s" % (len(one), one) for one in written))
        command = [str(WRK), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        command += ["-s", str(script), f"http://127.0.0.1:{port}"]
        env = {**os.environ, "BENCH_REQUESTS": str(made), "BENCH_EXPECTED": str(expected)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.partition("\nDONE ")[2])
    if found["faults"] or not found["answers"]:
        raise SystemExit(f"{written[0][:30]!r}: {found['faults']} answers were not {expected}\n{done.stdout}")
    return found["answers"], found["seconds"], found["p99"]


def by_threads(
    port: int, requests: Iterator[Request], seconds: float, expected: int, connections: int
) -> tuple[int, float, float]:
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
    return len(took), spent, took[max(0, int(len(took) * 0.99) - 1)] * 1000
