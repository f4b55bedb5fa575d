"""Files that take a thread of the web for as long as they are made: some at a time, so that others' pages are served.

In each process an agency has one under way, and all together have no more than half of the threads.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from flask import Response

from app.core.errors import TooMany
from app.core.memory import give_back

AGAIN = 5  # seconds after which to ask once more
MOST = 2  # of the four threads that a process has

_lock = threading.Lock()
_under_way: dict[uuid.UUID, object] = {}


@contextmanager
def large_file(agency_id: uuid.UUID) -> Iterator[Callable[[Response], Response]]:
    """A place among those who make one, until the response that is `sent` within has left or was given up. Raises
    `TooMany`."""
    place = object()
    with _lock:
        if agency_id in _under_way or len(_under_way) >= MOST:
            raise TooMany(AGAIN)
        _under_way[agency_id] = place
    end = partial(_end, agency_id, place)
    try:
        yield partial(_sent, end)
    except BaseException:
        end()
        raise


def _sent(end: Callable[[], None], response: Response) -> Response:
    if not response.is_streamed:
        end()
        return response
    response.response = _until_its_end(response.response, end)
    response.call_on_close(end)  # it may be given up before its first piece was asked for
    return response


def _until_its_end(pieces: Iterable[Any], end: Callable[[], None]) -> Iterator[Any]:
    try:
        yield from pieces
    finally:
        end()


def _end(agency_id: uuid.UUID, place: object) -> None:
    """Once: by then somebody else may have the agency's place."""
    with _lock:
        if _under_way.get(agency_id) is not place:
            return
        del _under_way[agency_id]
    give_back()
