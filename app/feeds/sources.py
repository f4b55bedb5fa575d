"""The rows of a feed, page by page, through the one HTTP client. Nothing here writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import SplitResult, urlencode, urljoin, urlsplit, urlunsplit

from app.core.strict_json import NotJson, read_json
from app.core.values import is_text
from app.feeds.csv_rows import NotCsv
from app.feeds.files import rows_of
from app.feeds.inflating import GZIP, NotCompressed, TooLarge, gunzip, inflate
from app.outbound.addresses import Refused
from app.outbound.http_client import HttpAnswer, HttpClient, Unreachable

PAGE_BYTES = 8 * 1024 * 1024
PAGE_PARTS = 300_000  # values of a page: each takes a hundred bytes or more once it is read
PAGE_SECONDS = 30.0
PAGES = 1000
ROWS = 50_000
FEED_BYTES = 512 * 1024 * 1024  # of all pages, opened: ten kilobytes a row
WAITED = 600.0  # seconds that one reading spends waiting for the other side, all pages together
CSV_PAGE = 500


class BrokenFeed(Exception):
    """The feed cannot be read on. `code`: what the HTTP client says, or status, large, rows, slow, not_json, shape,
    next, short, encoding, or what a file is (`app.core.labels.FEED_FILE`)."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Source:
    """What a feed is read from: an address with its key, or the bytes of a file."""

    kind: str
    url: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    key_in: str = "header"
    file: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class Bounds:
    """How much of a feed is read: `pages`, `rows` and bytes (`size`) at most, and so many `seconds` of waiting."""

    pages: int = PAGES
    rows: int = ROWS
    size: int = FEED_BYTES
    seconds: float = WAITED

    def wait(self) -> float:
        """How long the next page may take; raises `BrokenFeed` when nothing is left."""
        if self.seconds <= 0:
            raise BrokenFeed("slow")
        return min(PAGE_SECONDS, self.seconds)

    def weigh(self, size: int) -> None:
        """What was opened of a page, whether or not there are rows in it."""
        self.size -= size
        if self.size < 0:
            raise BrokenFeed("large")

    def count(self, rows: int) -> None:
        self.rows -= rows
        if self.rows < 0:
            raise BrokenFeed("rows")


def pages(source: Source, http: HttpClient, bounds: Bounds | None = None) -> Iterator[list[Any]]:
    """The rows of each page. Ends without an error only when the whole feed was read; raises `BrokenFeed`."""
    bounds = bounds or Bounds()
    for found in _of_file(source.file) if source.kind == "csv" else _of_server(source, http, bounds):
        bounds.count(len(found))
        yield found


def _of_file(body: bytes) -> Iterator[list[Any]]:
    try:
        rows = rows_of(body)
        while found := list(islice(rows, CSV_PAGE)):
            yield found
    except NotCsv as why:
        raise BrokenFeed(why.code) from None


def _of_server(source: Source, http: HttpClient, bounds: Bounds) -> Iterator[list[Any]]:
    url, seen, rows, total = source.url, set[str](), 0, None
    while url:
        if url in seen or len(seen) >= bounds.pages:
            raise BrokenFeed("next")
        seen.add(url)
        found, following, told = _shape(_get(source, url, http, bounds))
        rows += len(found)
        total = told if told is not None else total
        yield found
        url = _following(source.url, urljoin(url, following)) if following else ""
    if total is not None and rows < total:
        raise BrokenFeed("short")


def _get(source: Source, url: str, http: HttpClient, bounds: Bounds) -> Any:
    headers = {"Accept": "application/json"}
    if source.key and source.key_in == "header":
        headers["Authorization"] = source.key
    elif source.key and "api_key=" not in url:
        parts = urlsplit(url)
        query = "&".join(filter(None, (parts.query, urlencode({"api_key": source.key}))))
        url = urlunsplit(parts._replace(query=query))
    began = time.monotonic()
    try:
        answer = http.call("GET", url, headers=headers, deadline=bounds.wait(), keep=PAGE_BYTES)
    except Refused as why:
        raise BrokenFeed("port" if str(why) == "port" else "address") from None
    except Unreachable as fault:
        raise BrokenFeed(fault.code) from None
    finally:
        bounds.seconds -= time.monotonic() - began
    if answer.status != 200:
        raise BrokenFeed("key" if answer.status in {401, 403} else "status")
    if not answer.whole:
        raise BrokenFeed("large")
    body = _opened(answer)
    bounds.weigh(len(body))
    if sum(map(body.count, (b",", b"[", b"{"))) > PAGE_PARTS:
        raise BrokenFeed("large")
    try:
        return read_json(body, row_by_row=True)
    except NotJson:
        raise BrokenFeed("not_json") from None


def _opened(answer: HttpAnswer) -> bytes:
    """The body, decompressed: some servers compress unasked, or hand out compressed files."""
    body = answer.body
    codings = [name.strip().lower() for name in answer.headers.get("content-encoding", "").split(",")]
    try:
        for coding in reversed([name for name in codings if name not in {"", "identity"}][:2]):
            if coding in {"gzip", "x-gzip"}:
                body = gunzip(body, PAGE_BYTES)
            elif coding == "deflate":
                body = inflate(body, PAGE_BYTES)
            else:
                raise BrokenFeed("encoding")
        return gunzip(body, PAGE_BYTES) if body.startswith(GZIP) else body
    except TooLarge:
        raise BrokenFeed("large") from None
    except NotCompressed:
        raise BrokenFeed("encoding") from None


def _shape(body: Any) -> tuple[list[Any], str, int | None]:
    """Rows, the next page's address, and how many rows there are said to be in all."""
    if isinstance(body, list):
        return body, "", None
    if not isinstance(body, dict):
        raise BrokenFeed("shape")
    rows = next((body[name] for name in ("objects", "data", "results", "items") if name in body), None)
    meta = body["meta"] if isinstance(body.get("meta"), dict) else body
    following, total = meta.get("next"), meta.get("total_count")
    if not isinstance(rows, list) or not isinstance(following, str | None):
        raise BrokenFeed("shape")
    if following and not is_text(following):
        raise BrokenFeed("next")
    return rows, following or "", total if isinstance(total, int) else None


def _following(first: str, url: str) -> str:
    """The next page's address, on the first one's server. It stays encrypted if the first was: behind TLS many an
    application calls itself `http:`. Raises `BrokenFeed`."""
    try:
        began, parts = urlsplit(first), urlsplit(url)
        if began.scheme not in _PORTS or parts.scheme not in _PORTS or _server(began) != _server(parts):
            raise BrokenFeed("next")
    except ValueError:
        raise BrokenFeed("next") from None
    if "https" not in {began.scheme, parts.scheme}:
        return url
    return urlunsplit(parts._replace(scheme="https", netloc=_server(parts)))


_PORTS = {"http": 80, "https": 443}


def _server(parts: SplitResult) -> str:
    """Host and port; the scheme's own port need not be said."""
    if parts.username is not None or not parts.hostname:
        raise BrokenFeed("next")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if parts.port in {None, _PORTS.get(parts.scheme)} else f"{host}:{parts.port}"
