"""Blank forms differ between buyers by their stamp alone: each is rendered once, until something it shows changes.

Rendering is nine tenths of what opening a link costs; the query that decides whether the link stands is still made.
"""

from __future__ import annotations

import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any

from flask import request

from app.blueprints.public.showing import Showing
from app.core.clock import now
from app.core.language import language
from app.models import Property

MOST = 128
NOW = re.compile(r'data-now="[^"]*"')  # by which the countdown runs


class BlankForms:
    """A few megabytes at most: the least recently opened form goes first."""

    def __init__(self) -> None:
        self._pages: OrderedDict[tuple[Any, ...], tuple[str, str, Showing]] = OrderedDict()
        self._lock = Lock()

    def page(self, prop: Property, render: Callable[[], tuple[str, Showing]]) -> str:
        """What `render` gives, from memory where it was rendered before with all that it shows unchanged."""
        if request.query_string:
            return render()[0]  # the page repeats the query in its other language's address
        key = _shown(prop)
        with self._lock:
            kept = self._pages.get(key)
            if kept is not None:
                self._pages.move_to_end(key)
        if kept is None:
            page, showing = render()
            with self._lock:
                self._pages[key] = page, showing.stamp(prop), showing
                if len(self._pages) > MOST:
                    self._pages.popitem(last=False)
            return page
        page, stamp, showing = kept
        fresh = replace(showing, nonce=os.urandom(16), opened=time.time())
        told = NOW.search(page)
        page = page.replace(told[0], f'data-now="{now().isoformat()}"', 1) if told else page
        return page.replace(stamp, fresh.stamp(prop))


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
