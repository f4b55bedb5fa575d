"""The address of this installation."""

from __future__ import annotations

from flask import current_app


def base_url() -> str:
    url: str = current_app.extensions["bidflux_settings"].base_url
    return url
