"""Calls over TLS: certificates are checked, by name, and by whom they were given."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.outbound.http_client import HttpClient, Unreachable
from tests.outbound.servers import reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
DAY = timedelta(days=1)


def certificate(folder: Path, name: str, ends: timedelta = DAY, also: tuple[str, ...] = ()) -> Path:
    """A key and a certificate that it signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), now - 2 * DAY, now + ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in (name, *also)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}-{ends.days}.pem"
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def secure(path: Path) -> Iterator[tuple[int, list[int]]]:
    """A server that answers each request over TLS; its port, and how many requests each connection brought."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    requests: list[int] = []

    def converse(plain: socket.socket) -> None:
        number = len(requests)
        requests.append(0)
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as peer:
            while said := peer.recv(65536):
                if said.endswith(b"{}"):  # the body comes apart from its head
                    requests[number] += 1
                    peer.sendall(reply())

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=converse, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], requests
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], HttpClient]]:
    """A client that trusts one certificate; every name leads to the loopback."""
    made: list[HttpClient] = []
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, port, **kind: real("127.0.0.1", port, **kind))

    def make(path: Path) -> HttpClient:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        made.append(HttpClient(LOOPBACK))
        return made[-1]

    yield make
    for http in made:
        http.close()


def test_a_trusted_server_is_called_over_one_kept_connection(
    trusting: Callable[[Path], HttpClient], tmp_path: Path
) -> None:
    path = certificate(tmp_path, "crm.example")
    with secure(path) as (port, requests):
        http = trusting(path)
        for _ in range(3):
            answer = http.call("POST", f"https://crm.example:{port}/hook", headers={}, body=b"{}", deadline=5)
            assert (answer.status, answer.body) == (200, b"ok")
    assert requests == [3]


@pytest.mark.parametrize(
    ("name", "ends", "trusted"),
    [("other.example", DAY, True), ("crm.example", -DAY, True), ("crm.example", DAY, False)],
    ids=["of another name", "run out", "by nobody known"],
)
def test_a_certificate_that_proves_nothing_is_no_answer(
    trusting: Callable[[Path], HttpClient], tmp_path: Path, name: str, ends: timedelta, trusted: bool
) -> None:
    path = certificate(tmp_path, name, ends)
    with secure(path) as (port, requests), pytest.raises(Unreachable) as told:
        http = trusting(path if trusted else certificate(tmp_path, "else.example"))
        http.call("POST", f"https://crm.example:{port}/hook", headers={}, body=b"secret", deadline=5)
    assert told.value.code == "tls" and sum(requests) == 0
