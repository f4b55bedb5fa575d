"""The examples for nginx and Caddy do what they say, run by the programs themselves."""

from __future__ import annotations

import gzip
import http.client
import re
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.conftest import free_port
from tests.deploy.fronts import CALLER, NAMES, Behind, Front, product, running
from tests.faults.rig import wait_for
from tests.outbound.test_http_client_tls import certificate

PROGRAMS = [
    pytest.param(
        program,
        marks=pytest.mark.skipif(
            shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None,
            reason=f"no {program} on this machine: apt-get install {package}",
        ),
    )
    for program, package in (("nginx", "nginx-light"), ("caddy", "caddy"))
]
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def behind(migrated_sqlite: Path, valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with product(migrated_sqlite, tmp_path_factory.mktemp("data"), valkey) as started:
        yield started


@pytest.fixture(scope="module", params=PROGRAMS)
def front(request: pytest.FixtureRequest, behind: Behind) -> Iterator[Front]:
    # Not under pytest's folder: nginx's worker is another user, and must reach what it keeps there.
    folder = Path(tempfile.mkdtemp(prefix="bffront-"))
    folder.chmod(0o755)
    try:
        pem = certificate(folder, NAMES[0], also=NAMES[1:])
        with running(Front(request.param, folder, behind, pem)) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_callers_address_arrives_and_no_claim_of_theirs(front: Front) -> None:
    claims = {
        "X_Forwarded_For": "203.0.113.9",
        "X_Real_IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9;host=evil.example",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Proto": "http",
        "X_Request_Id": "theirs-theirs-theirs",
    }
    assert front.ask("GET", "/healthz", **claims).status == 200
    seen = front.behind.seen[-1]
    assert (seen["address"], seen["scheme"], seen["host"]) == (CALLER, "https", NAMES[0])
    assert "203.0.113.9" not in str(seen) and "evil.example" not in str(seen) and "theirs" not in str(seen)
    assert re.fullmatch(r"[0-9a-f-]{32,36}", seen["headers"]["X-Request-Id"])


def test_the_products_headers_come_through_once(front: Front) -> None:
    answer = front.ask("GET", "/login")
    assert answer.status == 200
    for name in ("Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "Cache-Control"):
        assert len(answer.headers.get_all(name, [])) == 1, name
    assert answer.headers["X-Request-Id"] == front.behind.seen[-1]["headers"]["X-Request-Id"]
    assert answer.headers["Set-Cookie"].startswith("__Host-bidflux=") and "Secure" in answer.headers["Set-Cookie"]
    assert not re.search(r"waitress|gunicorn|Caddy|nginx/", str(answer.headers))


def test_figures_are_not_shown_outside(front: Front) -> None:
    assert front.ask("GET", "/metrics").status == 404


@pytest.mark.parametrize("name", NAMES)
def test_each_name_serves_pages_and_takes_forms(front: Front, name: str) -> None:
    page = front.ask("GET", "/login", name)
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    found = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', page.body)
    assert found
    form = {"csrf_token": found[1].decode(), "email": "nimeni@example.ro", "password": "nimic nimic nimic"}
    about = {"Cookie": cookie, "Content_Type": "application/x-www-form-urlencoded", "Referer": f"https://{name}/login"}
    answer = front.ask("POST", "/login", name, urlencode(form).encode(), **about)
    assert answer.status in {401, 422} and front.behind.seen[-1]["host"] == name, answer.body


def test_another_name_gets_no_page(front: Front) -> None:
    before = len(front.behind.seen)
    with pytest.raises(ssl.SSLError):
        front.ask("GET", "/login", "evil.example")
    assert len(front.behind.seen) == before


def test_http_leads_to_https(front: Front) -> None:
    caller = http.client.HTTPConnection("127.0.0.1", front.plain, timeout=30)
    caller.request("GET", "/verify?a=b", headers={"Host": NAMES[1]})
    answer = caller.getresponse()
    assert answer.status == 308 and re.fullmatch(
        rf"https://{NAMES[1]}(:{front.tls})?/verify\?a=b", answer.headers["Location"]
    )
    caller.close()


def test_what_is_a_little_too_large_gets_the_products_page_and_what_is_larger_is_cut(front: Front) -> None:
    about = {"Content_Type": "application/x-www-form-urlencoded"}
    answer = front.ask("POST", "/login", body=b"a" * (12 * MEGABYTE + 1), **about)
    assert answer.status == 413 and b"<html" in answer.body and "Content-Security-Policy" in answer.headers
    before = front.behind.seen
    head = f"POST /login HTTP/1.1\r\nHost: {NAMES[0]}\r\nContent-Length: {14 * MEGABYTE}\r\n\r\n"
    with front.connect(NAMES[0]) as caller, suppress(OSError):  # cut off, in whatever way
        caller.sendall(head.encode())
        if front.program == "nginx":  # which asks no further
            assert caller.recv(100).startswith(b"HTTP/1.1 413")
        caller.sendall(b"a" * 14 * MEGABYTE)
    assert front.behind.seen == before


def test_pages_and_files_are_compressed_and_small_answers_not(front: Front) -> None:
    page = front.ask("GET", "/", Accept_Encoding="gzip")
    assert page.headers["Content-Encoding"] == "gzip" and b"</html>" in gzip.decompress(page.body)
    assert "Accept-Encoding" in str(page.headers.get_all("Vary"))
    style = front.ask("GET", static(front), Accept_Encoding="gzip")
    assert style.headers["Content-Encoding"] == "gzip" and len(gzip.decompress(style.body)) > 2 * len(style.body)
    assert "Content-Encoding" not in front.ask("GET", "/").headers
    assert "Content-Encoding" not in front.ask("GET", "/healthz", Accept_Encoding="gzip").headers


def static(front: Front) -> str:
    """The style sheet, as a page names it: by its content."""
    found = re.search(r'href="(/static/[^"]+\.css\?v=[^"]+)"', front.ask("GET", "/").body.decode())
    assert found
    return found[1]


def test_static_files_may_be_kept_and_pages_not(front: Front) -> None:
    path = static(front) + "&"  # one that nobody asked for yet
    answers = [front.ask("GET", path) for _ in range(3)]
    assert all("immutable" in answer.headers["Cache-Control"] for answer in answers)
    asked = sum(seen["path"] == path.partition("?")[0] for seen in front.behind.seen[-3:])
    if front.program == "nginx":
        assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT", "HIT"] and asked == 1
    before = len(front.behind.seen)
    for _ in range(2):
        assert "immutable" not in front.ask("GET", "/").headers["Cache-Control"]
    assert len(front.behind.seen) == before + 2


def test_a_request_that_comes_slowly_waits_in_the_proxy(front: Front) -> None:
    """Its half has come, another's whole request was answered after it, and nobody is connected to the product."""
    with front.connect(NAMES[0]) as slow:
        head = f"POST /login HTTP/1.1\r\nHost: {NAMES[0]}\r\nContent-Length: 2000\r\nConnection: close\r\n\r\n"
        slow.sendall(head.encode() + b"a" * 1000)
        assert front.ask("GET", "/healthz").status == 200
        wait_for(lambda: front.behind.connections() == 0, 10, "the product has no caller")
        slow.sendall(b"a" * 1000)
        assert slow.recv(100).startswith(b"HTTP/1.1 4")


def test_the_proxys_own_log_holds_no_link(front: Front, tmp_path: Path) -> None:
    """Neither of a request that was answered, nor of one that nobody was there to answer: a token opens an offer."""
    token = "eyJzZWNyZXQiOiJ0b2tlbiJ9secret"
    alone = front.folder / "alone"
    alone.mkdir()
    nobody = Behind(free_port(), tmp_path / "seen")
    with running(Front(front.program, alone, nobody, front.pem)) as other:
        for asked in (front, other):
            answer = asked.ask("GET", f"/o/{token}?q={token}", Referer=f"https://{NAMES[0]}/o/{token}")
            assert answer.status == (502 if asked is other else 404)
            assert token not in asked.log()
