"""Blank forms differ between buyers by their stamp alone: each is rendered once, until something it shows changes.

Rendering is nine tenths of what opening a link costs; the query that decides whether the link stands is still made.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any

from flask import request

from app.language import language
from app.models import Property

STAMP = "stamp-of-this-very-form"
MOST = 128


class BlankForms:
    """A few megabytes at most: the least recently opened form goes first."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Any, ...], str] = OrderedDict()
        self._lock = Lock()

    def page(self, prop: Property, stamp: str, render: Callable[[str], str]) -> str:
        """`render(stamp)`, from memory where it was rendered before with all that it shows unchanged."""
        if request.query_string:
            return render(stamp)  # the page repeats the query in its other language's address
        key = _shown(prop)
        with self._lock:
            page = self._pages.get(key)
            if page is not None:
                self._pages.move_to_end(key)
        if page is None:
            page = render(STAMP)
            with self._lock:
                self._pages[key] = page
                if len(self._pages) > MOST:
                    self._pages.popitem(last=False)
        return page.replace(STAMP, stamp)


def _shown(prop: Property) -> tuple[Any, ...]:
    """Everything that the page is made from."""
    agent, agency = prop.agent, prop.agency
    return (
        request.script_root,
        request.path,
        language(),
        prop.version,
        agent.full_name,
        agent.email,
        agent.phone,
        agency.name,
        agency.email,
        agency.phone,
        agency.notice_version,
        agency.facts_at,
        agency.zone,
    )
