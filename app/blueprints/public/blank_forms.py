"""Blank forms differ between buyers by their stamp and the clock alone: the rest is kept as bytes, until something it
shows changes.

Rendering is nine tenths of what opening a link costs; the query that decides whether the link stands is still made.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import request

from app.blueprints.public.showing import Showing
from app.core.clock import now
from app.core.language import choose_language
from app.core.recently_used import RecentlyUsed
from app.core.signed_links import STAMP, Stamp, sign
from app.models import Property
from app.properties.shown import digest_of
from app.web.held_forms import HELD

MOST = 24 * 1024 * 1024  # bytes in a process: some nine hundred forms
NOW = re.compile(rb'(?<=data-now=")[^"]*(?=")')  # by which the countdown runs


@dataclass(frozen=True, slots=True)
class Blank:
    """A form without its stamp, in three pieces; between the first two the present moment, if it counts down."""

    prop: Property  # as it was when this was rendered
    shown: bytes  # the digest of what it shows
    pieces: tuple[bytes, bytes, bytes]
    counts_down: bool

    @classmethod
    def of(cls, prop: Property, page: str, showing: Showing) -> Blank:
        before, _stamp, after = page.encode().partition(showing.stamp(prop).encode())
        if (told := NOW.search(before)) is None:
            return cls(prop, digest_of(showing.snap), (b"", before, after), counts_down=False)
        pieces = before[: told.start()], before[told.end() :], after
        return cls(prop, digest_of(showing.snap), pieces, counts_down=True)

    def opened_now(self) -> bytes:
        """With a stamp of its own."""
        stamp = sign(STAMP, Stamp(self.prop.id, os.urandom(16), time.time(), shown=self.shown)).encode()
        moment = now().isoformat().encode() if self.counts_down else b""
        return b"".join((self.pieces[0], moment, self.pieces[1], stamp, self.pieces[2]))


class BlankForms:
    """By address and language. `open_link` gives the same object as long as nothing of property, agent and agency has
    changed, the marks of what the page takes from elsewhere included: the agency's notice (`notice_version`), its facts
    and how long it keeps what (`facts_at`), the photo (`photo_id`)."""

    def __init__(self) -> None:
        self.kept: RecentlyUsed[Blank] = RecentlyUsed(MOST)

    def page(self, prop: Property, render: Callable[[], tuple[str, Showing]]) -> bytes:
        """What `render` gives, from memory where it was rendered before with all that it shows unchanged."""
        if request.query_string or HELD in request.environ:
            return render()[0].encode()  # such a page repeats what its own request said
        key = request.script_root, request.path, choose_language()
        blank = self.kept.get(key)
        if blank is None or blank.prop is not prop:
            blank = Blank.of(prop, *render())
            self.kept.put(key, blank, sum(map(len, blank.pieces)))
        return blank.opened_now()
