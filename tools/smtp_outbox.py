"""The mail server of `make run`: takes every message by SMTP and keeps it as an .eml file."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session
from uuid6 import uuid7

LARGEST_MESSAGE = 30 * 1024 * 1024


def store(folder: Path, envelope: Envelope) -> None:
    """Write one message durably and under its final name only when whole; names sort by arrival."""
    to = ", ".join(envelope.rcpt_tos)
    head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {to}\r\n"
    content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
    name = uuid7().hex
    partial = folder / f".{name}.part"
    with partial.open("xb") as file:
        file.write(head.encode("utf-8") + content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(folder / f"{name}.eml")
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class Outbox:
    """Answers 250 only for what is on the disk, as a real server does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        try:
            await asyncio.to_thread(store, self.folder, envelope)
        except OSError as error:
            return f"451 4.3.0 Cannot store the message: {error.strerror}"
        return "250 2.0.0 Stored"


async def serve(port: int, folder: Path) -> None:
    """Listen on the loopback until SIGTERM, then let the conversations under way end."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    outbox = Outbox(folder)
    server = await loop.create_server(
        lambda: SMTP(outbox, data_size_limit=LARGEST_MESSAGE, enable_SMTPUTF8=True, hostname="localhost", loop=loop),
        "127.0.0.1",
        port,
    )
    await stop.wait()
    server.close()
    under_way = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if under_way:
        await asyncio.wait(under_way, timeout=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    wanted = parser.parse_args()
    wanted.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(serve(wanted.port, wanted.folder))


if __name__ == "__main__":
    main()
