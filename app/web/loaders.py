"""What stands behind a signed link, or behind the cookie that it was exchanged for, is loaded before the route runs.

A loader is declared on the route (`@policy(Guard.LINK, opens=…)`). What it loads is the view's first argument; whoever
has no good token never reaches the view.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import abort, make_response, request

from app.core.errors import NotFound
from app.core.signed_links import BadToken, Purpose, TimedId, read
from app.core.urls import base_url
from app.web import passes
from app.web.guards import Guard

READS = frozenset({"GET", "OPTIONS"})
# Answers as a view does; None for the plain page of a 404.
Refusal = Callable[[], Any] | None


@dataclass(frozen=True, slots=True)
class ByLink:
    """By the token in the path. `loads` has for each purpose that the route takes what loads its row: None where there
    is none (any more). It may also abort with a page of its own, as for a link whose time is over."""

    loads: Mapping[Purpose[Any], Callable[[Any], Any]]
    refused: Refusal = None
    guard: Guard = Guard.LINK

    def row(self, **path: Any) -> Any:
        for purpose, load in self.loads.items():
            with suppress(BadToken):
                return _known(load(read(purpose, path["token"])), self.refused)
        return _known(None, self.refused)


@dataclass(frozen=True, slots=True)
class ByCookie:
    """By the cookie of one page. `named` finds in the path which row it is of, `load` loads that, as for a link.

    What changes something comes from that page itself: a neighbouring subdomain is the same site to a cookie.
    """

    guard: Guard
    purpose: Purpose[TimedId]
    named: Callable[..., uuid.UUID | None]
    load: Callable[[uuid.UUID], Any]
    refused: Refusal = None

    def row(self, **path: Any) -> Any:
        row_id = self.named(**path)
        known = row_id and passes.holds(self.purpose, row_id) and (request.method in READS or not _from_elsewhere())
        return _known(self.load(row_id) if row_id and known else None, self.refused)


def _from_elsewhere() -> bool:
    """Whether the browser says that another origin's page made this request. Pages without a referrer name no origin
    ("null"), browsers of before 2023 no site; those have the cookie's own rule alone."""
    site, origin = request.headers.get("Sec-Fetch-Site", "none"), request.headers.get("Origin", "null")
    here = {"null/", request.host_url, f"{base_url()}/"}  # the two differ where a proxy does not pass the host on
    return site not in {"same-origin", "none"} or f"{origin}/" not in here


def _known(row: Any, refused: Refusal) -> Any:
    if row is not None:
        return row
    if refused is None:
        raise NotFound
    abort(make_response(refused()))
