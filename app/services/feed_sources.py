"""The rows of a feed, page by page, through the one way out. Nothing here writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from app.integrations.door import Door, Refused, Unreachable

PAGE_BYTES = 8 * 1024 * 1024
PAGE_SECONDS = 30.0
PAGES = 1000


class Broken(Exception):
    """The feed cannot be read on. `code`: what the door says, or status, large, not_json, shape, next, short, file."""

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


def pages(source: Source, door: Door) -> Iterator[list[Any]]:
    """The rows of each page. Ends without an error only when the whole feed was read; raises `Broken`."""
    if source.kind == "csv":
        yield read_csv(source.file)
        return
    url, seen, rows, total = source.url, set[str](), 0, None
    while url:
        if url in seen or len(seen) >= PAGES or _origin(url) != _origin(source.url):
            raise Broken("next")
        seen.add(url)
        found, following, told = _shape(_get(source, url, door))
        rows += len(found)
        total = told if told is not None else total
        yield found
        url = urljoin(url, following) if following else ""
    if total is not None and rows < total:
        raise Broken("short")


def _get(source: Source, url: str, door: Door) -> Any:
    headers = {"Accept": "application/json"}
    if source.key and source.key_in == "header":
        headers["Authorization"] = source.key
    elif source.key and "api_key=" not in url:
        parts = urlsplit(url)
        query = "&".join(filter(None, (parts.query, urlencode({"api_key": source.key}))))
        url = urlunsplit(parts._replace(query=query))
    try:
        answer = door.call("GET", url, headers=headers, deadline=PAGE_SECONDS, keep=PAGE_BYTES)
    except Refused:
        raise Broken("address") from None
    except Unreachable as fault:
        raise Broken(fault.code) from None
    if answer.status != 200:
        raise Broken("key" if answer.status in {401, 403} else "status")
    if not answer.whole:
        raise Broken("large")
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Broken("not_json") from None


def _shape(body: Any) -> tuple[list[Any], str, int | None]:
    """Rows, the next page's address, and how many rows there are said to be in all."""
    if isinstance(body, list):
        return body, "", None
    if not isinstance(body, dict):
        raise Broken("shape")
    rows = next((body[name] for name in ("objects", "data", "results", "items") if name in body), None)
    meta = body["meta"] if isinstance(body.get("meta"), dict) else body
    following, total = meta.get("next"), meta.get("total_count")
    if not isinstance(rows, list) or not isinstance(following, str | None):
        raise Broken("shape")
    return rows, following or "", total if isinstance(total, int) else None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def read_csv(body: bytes) -> list[Any]:
    """Rows by the names in the first line; separated by comma, semicolon or tab, in UTF-8 or Windows-1250."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1250", errors="replace")
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        raise Broken("file") from None
    if not rows or len(set(rows[0])) != len(rows[0]):
        raise Broken("file")
    names = [name.strip() for name in rows[0]]
    return [dict(zip(names, row, strict=False)) for row in rows[1:] if any(cell.strip() for cell in row)]
