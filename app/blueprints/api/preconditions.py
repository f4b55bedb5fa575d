"""`If-Match` and `If-None-Match` (RFC 9110, section 13): the one place that makes, reads and compares entity tags.

A tag of ours names the version of an object, not the bytes that were sent. So a proxy that compresses on the way, and
weakens the tag (`W/"3"`) or marks it (`"3-gzip"`), still names that version: both are taken for `"3"`, in `If-Match`
too, where the RFC asks for a strong comparison so that nobody writes over bytes they have not seen. See
docs/decisions/0019-epochs.md for the epoch behind the version.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import msgspec
from flask import Response, request

from app.core.errors import StaleVersion, Unreadable
from app.web.api_keys import key_holder

ANY = 0  # `*`: whatever version it is, as long as there is one
NEVER = -1  # nothing that this object ever was
TAGS = r'^(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)$'  # as the description says it
_ITEM = re.compile(r'[ \t]*+(?:(?:W/)?"([\x21\x23-\x7e\x80-\xff]*+)"[ \t]*+)?(?:,|\Z)')
_CODED = re.compile(r"(?:--?|;)(?:x-)?(?:gzip|deflate|compress|br|zstd)\Z")


@dataclass(frozen=True, slots=True)
class Tags:
    """What a header names: any (`*`), or some opaque tags."""

    star: bool
    named: frozenset[str]

    def has(self, tag: str) -> bool:
        return self.star or tag in self.named


def etag(version: int) -> dict[str, str]:
    """The header that says which version an answer shows."""
    return {"ETag": f'"{_tag(version)}"'}


def expected_version(current: int | None) -> int | None:
    """The version to ask for under the lock: None when any will do and none need be there.

    `current` is the present version, None when there is none yet. Of several that `If-Match` names it is the present
    one, else the one before (a repeated call may be answered as at first), else `NEVER`. Raises `StaleVersion` when
    `If-None-Match` names the present one, and `Unreadable`.
    """
    refused = _header("If-None-Match")
    if refused and current is not None and refused.has(_tag(current)):
        raise StaleVersion
    wanted = _header("If-Match")
    if wanted is None:
        return None
    if wanted.star:
        return ANY
    near = [number for number in (current, (current or 0) - 1) if number and wanted.has(_tag(number))]
    return near[0] if near else NEVER


def content_etag(shown: Any) -> dict[str, str]:
    """The header for what has no version: it names the content, weakly, as two spellings of the same JSON would do."""
    return {"ETag": _content_tag(msgspec.json.encode(shown))}


def check_content(shown: Any) -> None:
    """Raises `StaleVersion` when the caller means other content than this, which is locked; and `Unreadable`."""
    wanted, known, tag = _header("If-Match"), _header("If-None-Match"), _opaque(content_etag(shown)["ETag"])
    if (wanted and not wanted.has(tag)) or (known and known.has(tag)):
        raise StaleVersion


def check_readable() -> None:
    """Raises `Unreadable` for either header, before anything is answered: a kept answer is asked for as carefully."""
    for name in ("If-Match", "If-None-Match"):
        _header(name)


def only_new() -> bool:
    """`If-None-Match: *`: whoever sends it means to create, not to replace."""
    refused = _header("If-None-Match")
    return refused is not None and refused.star


def conditional(response: Response) -> Response:
    """The answer to a read: 304 when the caller has this very one, 412 when they asked for another."""
    wanted, known = _header("If-Match"), _header("If-None-Match")
    if response.status_code != 200:
        return response
    if "ETag" not in response.headers:
        response.headers["ETag"] = _content_tag(response.get_data())
    tag = _opaque(response.headers["ETag"])
    if wanted and not wanted.has(tag):
        raise StaleVersion
    if known and known.has(tag):
        headers = {name: value for name, value in response.headers.items() if not name.startswith("Content-")}
        return Response(status=304, headers=headers)
    return response


def _content_tag(body: bytes) -> str:
    return f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')


def _tag(version: int) -> str:
    """The version; after a restore, when its number may have been another's, with the epoch."""
    by = key_holder()
    return f"{version}.{by.epoch}" if by.restores else str(version)


def _header(name: str) -> Tags | None:
    """What a header names, or None when it was not sent. Raises `Unreadable` for what is no list of tags."""
    text = request.headers.get(name)
    if text is None:
        return None
    if text.strip(" \t") == "*":
        return Tags(True, frozenset())
    named, at = set[str](), 0
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None:
            break
        if item[1] is not None:
            named.add(_CODED.sub("", item[1]))
        at = item.end()
    if at < len(text) or not named:
        raise Unreadable(f'{name} must be "*" or a list of tags as `ETag` has them, in double quotes.')
    return Tags(False, frozenset(named))
