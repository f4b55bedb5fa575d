"""Who is signed in is made of a row read at every page: nobody is taken for another, and no change is missed."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import update

from app.accounts import editing, signed_in
from app.accounts.signed_in import find_session
from app.extensions import db
from app.models import Agency, User, UserSession
from tests.factories import make_agency, make_user


def test_everybody_is_who_their_own_token_says(either_app: Flask) -> None:
    del either_app
    people = [make_user(agency, role) for agency in (make_agency(), make_agency()) for role in ("owner", "agent")]
    tokens = [(editing.start_session(user, "Firefox"), user) for user in people for _browser in range(2)]
    for _ in range(3):
        found = [(find_session(token), user) for token, user in tokens]
        for person, user in found:
            assert person is not None
            told = (person.user.id, person.agency.id, person.is_owner, person.agency_id)
            assert told == (user.id, user.agency_id, user.is_owner, user.agency_id)
        assert [person.token for person, _user in found if person] == [token for token, _user in tokens]
        assert len({person.session_id for person, _user in found if person}) == len(tokens)
    assert find_session(tokens[0][0] + "x") is None


def test_what_changed_is_seen_at_the_next_page(either_app: Flask, owner: User) -> None:
    """Every column of the person and of the agency, in whatever way it was changed."""
    del either_app
    token, other = editing.start_session(owner, "Firefox"), editing.start_session(owner, "Safari")
    seen = find_session(token)
    assert seen is not None and find_session(token) is not None
    mine = (db.session.get_one(Agency, owner.agency_id), {"colleagues_read": True, "name": "Alta", "event_seq": 7})
    own = (db.session.get_one(User, owner.id), {"role": "agent", "language": "en", "full_name": "Altcineva"})
    for row, values in (mine, own):
        for name, value in values.items():
            before = getattr(find_session(token), type(row).__name__.lower())
            db.session.execute(update(type(row)).where(type(row).id == row.id).values(**{name: value}))
            db.session.commit()
            for one in (token, other):
                assert getattr(getattr(find_session(one), type(row).__name__.lower()), name) == value
            assert getattr(before, name) != value  # what a request under way holds stays as it was
    db.session.execute(update(User).where(User.id == owner.id).values(active=False))
    db.session.commit()
    assert find_session(token) is None and find_session(other) is None


def test_a_session_that_ended_lets_nobody_in(either_app: Flask, owner: User) -> None:
    del either_app
    token, other = editing.start_session(owner, "Firefox"), editing.start_session(owner, "Safari")
    seen = find_session(token)
    assert seen is not None
    editing.end_session(seen.session_id, owner.id)
    assert find_session(token) is None and find_session(other) is not None
    db.session.execute(update(UserSession).values(expires_at=UserSession.created_at))
    db.session.commit()
    assert find_session(other) is None


def test_tokens_are_not_kept(app: Flask, owner: User) -> None:
    """In memory as in the table there is only the hash: what is kept opens nothing."""
    del app
    token = editing.start_session(owner, "Firefox")
    assert find_session(token) is not None
    kept = signed_in._kept.get(editing.token_hash(token))
    assert kept is not None and token not in repr(kept.held) and signed_in._kept.get(token) is None
    assert kept.seen_at > owner.created_at - timedelta(minutes=1)
