"""A real HTTP server on the loopback that says what a test wants, also what no decent server would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import parse_headers
from typing import BinaryIO


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


def reply(status: int = 200, body: bytes = b"ok", **headers: str) -> bytes:
    """An answer, byte for byte; names of headers are written with underscores."""
    lines = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


@dataclass
class Receiver:
    """The server. `answer` gives the bytes sent back, in pieces; None hangs up without a word."""

    answer: Callable[[Request], Iterator[bytes] | bytes | None] = lambda _request: reply()
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    under_way: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _told: threading.Condition = field(default_factory=threading.Condition)

    def serve(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.create_server((host, 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            threading.Thread(target=self._converse, args=(peer, number), daemon=True).start()

    def wait_closed(self, count: int) -> None:
        """Until so many connections have been hung up here."""
        with self._told:
            assert self._told.wait_for(lambda: self.closed >= count, 120)

    def _converse(self, peer: socket.socket, number: int) -> None:
        try:
            self._talk(peer, number)
        finally:
            with self._told:
                self.closed += 1
                self._told.notify_all()

    def _talk(self, peer: socket.socket, number: int) -> None:
        with peer, peer.makefile("rb") as stream, suppress(OSError, ValueError):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (request := _read(stream, number)) is not None:
                with self._lock:
                    self.requests.append(request)
                    self.under_way += 1
                    self.most_at_once = max(self.most_at_once, self.under_way)
                try:
                    said = self.answer(request)
                    if said is None:
                        return
                    for piece in [said] if isinstance(said, bytes) else said:
                        peer.sendall(piece)
                finally:
                    with self._lock:
                        self.under_way -= 1


def _read(stream: BinaryIO, number: int) -> Request | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    found = parse_headers(stream)
    headers = {name.lower(): value for name, value in found.items()}
    body = stream.read(int(headers.get("content-length", "0")))
    return Request(line[0], line[1], headers, body, number)


@contextmanager
def receiving(answer: Callable[[Request], Iterator[bytes] | bytes | None] | None = None) -> Iterator[Receiver]:
    """A server for as long as the block lasts."""
    receiver = Receiver()
    if answer:
        receiver.answer = answer
    receiver.serve()
    try:
        yield receiver
    finally:
        receiver.stop()
