"""Who is signed in: read at every page, as one raw row; the objects are made anew only when it differs.

They are kept under the session's token and the very row that they were made of, so that whatever changes of the person,
by whatever way, in whatever process, is seen at the next page; and a session that is gone has no row.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from flask import g
from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import set_committed_value

from app.accounts.editing import SEEN_EVERY, token_hash
from app.core.access import Person
from app.core.clock import now
from app.core.detached import columns_of, every, made_of
from app.core.recently_used import RecentlyUsed
from app.core.statements import Query
from app.extensions import db
from app.models import Account, Agency, User, UserSession

MOST = 4 * 1024 * 1024  # bytes in a process
EACH = 6 * 1024  # bytes of the objects and their row

_COLUMNS = columns_of((User, Account, Agency))
_OTHER = aliased(User)
_BY_TOKEN = Query(
    select(UserSession.seen_at, UserSession.id, *every(_COLUMNS))
    .add_columns(exists().where(_OTHER.account_id == User.account_id, _OTHER.id != User.id).label("elsewhere"))
    .join(UserSession, UserSession.user_id == User.id)
    .join(User.account)
    .join(Agency, Agency.id == User.agency_id)
    .where(UserSession.token_hash == bindparam("token"), UserSession.expires_at > bindparam("at"))
)


class _Kept(NamedTuple):
    """What was made of a raw row; without the token, which only the cookie holds."""

    held: tuple[Any, ...]
    user: User
    agency: Agency
    session_id: uuid.UUID
    seen_at: datetime
    elsewhere: bool


_kept: RecentlyUsed[_Kept] = RecentlyUsed(MOST)


def find_session(token: str) -> Person | None:
    """Whoever the cookie's token names, while the session lives."""
    at, hashed, connection = now(), token_hash(token), db.session.connection()
    held = next(iter(_BY_TOKEN.raw(connection, token=hashed, at=at)), None)
    if held is None:
        return None
    kept = _kept.get(hashed)
    if kept is None or kept.held != held:
        row = _BY_TOKEN.row(connection, held)
        user, agency = made_of(row, User, _COLUMNS), made_of(row, Agency, _COLUMNS)
        set_committed_value(user, "account", made_of(row, Account, _COLUMNS))
        kept = _Kept(held, user, agency, row.id, row.seen_at, row.elsewhere)
        _kept.put(hashed, kept, EACH)
    if at - kept.seen_at > SEEN_EVERY:
        g.unseen = kept.session_id
    return Person(kept.user, kept.agency, kept.session_id, token, kept.elsewhere)
