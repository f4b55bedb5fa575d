"""Requests that would keep the web process's loop, and so everybody, waiting while they are only being read."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from waitress.adjustments import Adjustments

from app.models import Property
from app.web import server
from tests.patterns import slow
from tests.public.test_offer_form import path_of

FOLDS = b"\r\n " * 10_000
HEAD = b"GET /login HTTP/1.1\r\nHost: localhost\r\n"
BLANKS = {
    "before a value": b"X:" + b" " * 30_000 + b"x",
    "tabs": b"X:" + b"\t" * 30_000 + b"x",
    "and nothing else": b"X:" + b" " * 30_000,
    "before what is no value": b"X:" + b" " * 30_000 + b"\x01",
    "over folded lines": b"X:" + FOLDS + b"x",
    "many fields": b"\r\n".join([b"X:" + b" " * 15 + b"x"] * 1500),
}


def reading(*parts: bytes) -> Any:
    """A request after these bytes."""
    size = {"max_request_header_size": server.HEADERS, "max_request_body_size": server.BODY}
    adjustments = Adjustments(**size, inbuf_overflow=server.BODY)
    request = server._Request(adjustments, SimpleNamespace(rest=b""))  # type: ignore[arg-type]
    for part in parts:
        while part and not request.completed:
            part = part[request.received(part) :]
    return request


@pytest.mark.parametrize("field", BLANKS.values(), ids=BLANKS)
def test_blanks_in_a_head_cost_next_to_nothing(field: bytes) -> None:
    assert not slow(partial(reading, HEAD + field + b"\r\n\r\n"), 2)
    request = reading(HEAD + field + b"\r\n\r\n")
    assert request.completed and (request.error is not None) == (field != BLANKS["many fields"])


def test_a_few_blanks_are_nobody_s_fault() -> None:
    request = reading(HEAD + b"Cookie:   a=1;" + b" " * 99 + b"b=2  \r\nX: a\r\n b\r\n\r\n")
    assert request.error is None and request.headers["COOKIE"] == "a=1;" + " " * 99 + "b=2"


CHUNKED = b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "part",
    [b"1\r\na\r\n" * 10_000, b"1;x=" + b"y" * 50_000, b"0\r\n" + b"X: y\r\n" * 10_000],
    ids=["of one byte", "with notes", "with trailers"],
)
def test_a_body_of_next_to_nothing_but_chunks_is_given_up(part: bytes) -> None:
    request = reading(CHUNKED, *[part] * 40)
    assert request.error is not None
    assert request.body_bytes_received <= server.BESIDE + 2 * server.SLICE


def test_a_body_in_usual_chunks_is_read() -> None:
    chunk = b"%x\r\n%s\r\n" % (1024, b"a" * 1024)
    request = reading(CHUNKED, *[chunk] * 2000, b"0\r\n\r\n")
    assert request.completed and request.error is None and request.headers["CONTENT_LENGTH"] == str(2000 * 1024)


def test_a_part_of_a_form_that_names_no_field_is_passed_over(client: FlaskClient, prop: Property) -> None:
    part = b"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n"
    unnamed = b'--B\r\nContent-Disposition: form-data; filename="a.txt"\r\n\r\nx\r\n'
    for path in ("/login", "/verify", path_of(prop)):
        answer = client.post(path, data=part + unnamed + b"--B--\r\n", content_type="multipart/form-data; boundary=B")
        assert answer.status_code < 500
