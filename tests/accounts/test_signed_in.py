"""Who is signed in is made of a row read at every page: nobody is taken for another, and no change is missed."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import update

from app.accounts import editing, sessions, signed_in
from app.accounts.signed_in import find_session
from app.core.ledger import SYSTEM
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Account, Agency, Base, User, UserSession
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
    """Of the person, of what they sign in with, and of the agency, in whatever way it was changed."""
    del either_app
    token, other = editing.start_session(owner, "Firefox"), editing.start_session(owner, "Safari")
    changes = (
        (Agency, owner.agency_id, {"colleagues_read": True, "name": "Alta", "event_seq": 7}),
        (User, owner.id, {"role": "agent", "full_name": "Altcineva"}),
        (Account, owner.account_id, {"language": "en", "shortcuts": False, "password_hash": "x"}),
    )
    for model, row_id, values in changes:
        for name, value in values.items():
            before = held(token, model)
            db.session.execute(update(model).where(model.id == row_id).values(**{name: value}))
            db.session.commit()
            for one in (token, other):
                assert getattr(held(one, model), name) == value
            assert getattr(before, name) != value  # what a request under way holds stays as it was


def held(token: str, model: type[Base]) -> object:
    person = find_session(token)
    assert person is not None and person.agency_id == person.agency.id
    return {Agency: person.agency, User: person.user, Account: person.user.account}[model]


def test_another_agency_of_the_same_person_is_another_person(either_app: Flask, owner: User) -> None:
    del either_app
    token, elsewhere = editing.start_session(owner, "Firefox"), make_agency("Alta")
    alone = find_session(token)
    assert alone is not None and not alone.elsewhere
    facts = {"email": owner.email, "full_name": owner.full_name, "role": "agent", "phone": None}
    with writing(elsewhere) as tx:
        there = editing.add_user(tx, owner.account_id, facts, by=SYSTEM)  # type: ignore[arg-type]  # who is active has one
    both = find_session(token)
    assert both is not None and both.elsewhere and both.agency_id == owner.agency_id
    for user_id, agency_id in ((there, elsewhere), (owner.id, owner.agency_id), (there, elsewhere)):
        person = find_session(token)
        assert person is not None
        editing.switch(person, user_id)
        person = find_session(token)
        assert person is not None and (person.user.id, person.agency.id) == (user_id, agency_id)
        assert person.is_owner is (user_id == owner.id)


def test_a_session_that_ended_lets_nobody_in(either_app: Flask, owner: User) -> None:
    del either_app
    token, other = editing.start_session(owner, "Firefox"), editing.start_session(owner, "Safari")
    seen = find_session(token)
    assert seen is not None
    sessions.end_session(seen.session_id, owner, by=SYSTEM)
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
