"""Copying the photos that CRMs name: threads of the relay's own, so that a slow server keeps nothing else waiting."""

from __future__ import annotations

import threading

from flask import current_app

from app.delivery.turns import Turns
from app.outbound.http_client import HttpClient
from app.properties import photos

_turns = Turns()


def copy_due_photos(stop: threading.Event | None = None) -> int:
    """Fetch what is due, one after the other, agencies taking turns; how many were."""
    done = 0
    http = HttpClient(*current_app.extensions["bidflux_settings"].outbound)
    try:
        while not (stop and stop.is_set()) and (agency_id := _turns.begin(photos.waiting())):
            try:
                done += photos.copy_next(agency_id, http)
            finally:
                _turns.end(agency_id)
    finally:
        http.close()
    return done
