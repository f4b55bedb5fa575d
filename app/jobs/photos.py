"""Copying the photos that CRMs name: a thread of the relay's own, so that a slow server keeps nothing else waiting."""

from __future__ import annotations

import threading

from flask import current_app

from app.integrations.door import Door
from app.services import photo_copies


def copy_due_photos(stop: threading.Event | None = None) -> int:
    """Fetch what is due, one after the other; how many were."""
    done = 0
    door = Door(current_app.extensions["bidflux_settings"].webhook_allow_networks)
    try:
        while not (stop and stop.is_set()) and photo_copies.copy_next(door):
            done += 1
    finally:
        door.close()
    return done
