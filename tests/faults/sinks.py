"""The outside world as two processes: an SMTP server and a webhook receiver that write down whatever arrives.

`python -m tests.faults.sinks smtp|http PORT LOG`. A line is written before the sender is answered.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LOG = threading.Lock()


def note(path: Path, **what: Any) -> None:
    with LOG, path.open("a") as log:
        log.write(json.dumps(what) + "\n")


def serve_http(port: int, path: Path) -> None:
    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the caller was killed in mid-call
            headers = {name: self.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
            note(path, id=headers["webhook-id"], at=time.time(), headers=headers, body=base64.b64encode(body).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()


def serve_smtp(port: int, path: Path) -> None:
    from aiosmtpd.smtp import SMTP, Envelope, Session

    class Mailbox:
        async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
            raw = envelope.content
            assert isinstance(raw, bytes)
            found = re.search(rb"^Message-ID: <([^@]+)@", raw, re.MULTILINE)
            note(
                path, id=found[1].decode() if found else "", to=envelope.rcpt_tos, hash=hashlib.sha256(raw).hexdigest()
            )
            return "250 2.0.0 Kept"

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Mailbox(), enable_SMTPUTF8=True, hostname="localhost", loop=loop), "127.0.0.1", port
        )
        await server.serve_forever()

    asyncio.run(run())


if __name__ == "__main__":
    {"http": serve_http, "smtp": serve_smtp}[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
