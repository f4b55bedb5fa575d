"""When a session was last used: noted after the answer has left, at most once in some minutes."""

from __future__ import annotations

import uuid
from functools import partial

from flask import Flask, Response, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.editing import note_seen
from app.extensions import db


def register_seen(app: Flask) -> None:
    app.after_request(_once_it_left)


def _once_it_left(response: Response) -> Response:
    session_id = g.pop("unseen", None)
    if session_id is not None:
        app = current_app._get_current_object()  # type: ignore[attr-defined]  # documented proxy method
        response.call_on_close(partial(_note, app, session_id))
    return response


def _note(app: Flask, session_id: uuid.UUID) -> None:
    with app.app_context():
        try:
            note_seen(session_id)
        except SQLAlchemyError:  # the next page says it again
            db.session.rollback()
