"""A person asks an agency, by their e-mail address, for a copy of what is held about them, or to be forgotten."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, update

from app.core.clock import now
from app.core.contacts import read_email
from app.core.database import scrub
from app.core.errors import Conflict
from app.core.ids import new_id
from app.core.keys import agency_key
from app.core.ledger import BIDDER, SYSTEM, Actor
from app.core.subjects import about, key_in_sql
from app.core.unit_of_work import UnitOfWork, housekeeping, writing
from app.core.vault import Place, blind, seal, unseal
from app.extensions import db
from app.models import Agency, Delivery, OfferTag, PrivacyRequest, User
from app.models.agency import OWNER
from app.offers.mailboxes import mailbox_tag
from app.privacy import erasure, personal_data

TO_ANSWER = timedelta(days=30)  # Art. 12(3) GDPR: one month
REMIND = timedelta(days=7)
COPY_OPEN = timedelta(days=7)
UNPROVED_KEPT = timedelta(days=7)
ENDED_KEPT = timedelta(days=90)
MAILS_A_DAY = 3  # to one mailbox; whoever types somebody else's does not fill it


def name_of(agency_id: uuid.UUID | None) -> str | None:
    """The name of an agency that a person may ask, one that is not there for tests; None for any other."""
    return db.session.scalar(
        select(Agency.name).where(Agency.id == agency_id, Agency.test_of_id.is_(None), Agency.ended_at.is_(None))
    )


def ask(agency_id: uuid.UUID, kind: str, email: str, language: str) -> None:
    """Record the request and mail the address a link that proves it. Whether the address is known is not said. Raises
    `NotAContact`."""
    read, request_id = read_email(email), new_id()  # no more than the address: what stood around it would be mailed
    tag = blind(agency_key(agency_id, "blind_email"), read.folded)
    sealed = seal(agency_key(agency_id, "secret"), _place(agency_id, request_id, "email"), read.address.encode())
    with writing(agency_id) as tx:
        mailbox = mailbox_tag(agency_id, read.address)
        if _had_enough(tx, tag, mailbox):
            return
        row = {"id": request_id, "agency_id": agency_id, "kind": kind, "language": language, "created_at": tx.at}
        tx.connection.execute(insert(PrivacyRequest), {**row, "tag": tag, "email_ct": sealed})
        tx.record("privacy.asked", request_id, BIDDER, {"kind": kind})
        if tx.sends_mail:
            tx.owe("mail", "privacy_proof", about("privacy_request", request_id), recipient=mailbox)


def _had_enough(tx: UnitOfWork, tag: bytes, mailbox: bytes) -> bool:
    """Whether a mailbox got as many links as it may. An address under which an offer is held has its own: whoever asks
    under other spellings of it does not keep the person from asking."""
    day = tx.at - timedelta(days=1)
    spellings = select(func.count()).where(
        Delivery.agency_id == tx.agency_id,
        Delivery.recipient == mailbox,
        Delivery.template == "privacy_proof",
        Delivery.created_at > day,
    )
    own = select(func.count()).where(
        PrivacyRequest.agency_id == tx.agency_id, PrivacyRequest.tag == tag, PrivacyRequest.created_at > day
    )
    held = select(func.count()).where(
        OfferTag.agency_id == tx.agency_id, OfferTag.field == "email", OfferTag.tag == tag
    )
    to_mailbox, to_address, offers = (tx.connection.scalar(one) or 0 for one in (spellings, own, held))
    return (to_address if offers else to_mailbox) >= MAILS_A_DAY


def ask_as_bidder(agency_id: uuid.UUID, email: str, language: str) -> None:
    """Ask for erasure from the bidder's own page; its link came by mail, so the address is proved."""
    with writing(agency_id) as tx:
        if erasure_of(agency_id, email):
            return  # under the lock: a button is pressed twice
        request_id = _add_proved(tx, email, language)
        _tell_owners(tx, "privacy_asked", tx.record("privacy.proved", request_id, BIDDER, {"kind": "erasure"}))


def erase_for_agency(agency_id: uuid.UUID, email: str, language: str, *, by: Actor) -> int:
    """Erase the person with this address, who asked by phone or letter and is told by mail. Also answers a request of
    theirs that waits. Returns how many offers were erased."""
    with writing(agency_id) as tx:
        asked = erasure_of(agency_id, email)
        request_id = asked.id if asked else _add_proved(tx, email, language)
        if asked is None:
            tx.record("privacy.proved", request_id, by, {"kind": "erasure"})
    return decide(request_id, agency_id, erase=True, reason="", by=by)


def _add_proved(tx: UnitOfWork, email: str, language: str) -> uuid.UUID:
    """An erasure asked for by somebody whose address needs no more proof."""
    agency_id, request_id, read = tx.agency_id, new_id(), read_email(email)
    tag = blind(agency_key(agency_id, "blind_email"), read.folded)
    sealed = seal(agency_key(agency_id, "secret"), _place(agency_id, request_id, "email"), read.address.encode())
    row = {"id": request_id, "agency_id": agency_id, "kind": "erasure", "language": language, "tag": tag}
    moments = {"created_at": tx.at, "proved_at": tx.at, "due_at": tx.at + TO_ANSWER}
    tx.connection.execute(insert(PrivacyRequest), {**row, "email_ct": sealed, **moments})
    return request_id


def erasure_of(agency_id: uuid.UUID, email: str) -> PrivacyRequest | None:
    """The erasure that this address asked for and the agency has not answered yet."""
    tag = blind(agency_key(agency_id, "blind_email"), read_email(email).folded)
    of_person = (PrivacyRequest.agency_id == agency_id, PrivacyRequest.tag == tag, PrivacyRequest.kind == "erasure")
    open_ones = (PrivacyRequest.proved_at.is_not(None), PrivacyRequest.ended_at.is_(None))
    return db.session.scalar(select(PrivacyRequest).where(*of_person, *open_ones).limit(1))


def prove(request_id: uuid.UUID) -> PrivacyRequest | None:
    """The person pressed the button behind the link in their mail. A copy is theirs at once; an erasure waits for the
    agency, whose owners are told. None for a request that is gone."""
    data_request = by_id(request_id)
    if data_request is None or data_request.proved_at or lapsed(data_request):
        return data_request if data_request and data_request.proved_at else None
    agency_id, kind = data_request.agency_id, data_request.kind
    with writing(agency_id) as tx:
        first = tx.connection.execute(
            update(PrivacyRequest)
            .where(PrivacyRequest.id == request_id, PrivacyRequest.proved_at.is_(None))
            .values(
                proved_at=tx.at,
                due_at=tx.at + TO_ANSWER,
                **({"ended_at": tx.at, "outcome": "done"} if kind == "access" else {}),
            )
        ).rowcount
        if first:
            seq = tx.record("privacy.proved", request_id, BIDDER, {"kind": kind})
            if kind == "erasure":
                _tell_owners(tx, "privacy_asked", seq)
    return by_id(request_id)


def lapsed(data_request: PrivacyRequest) -> bool:
    """Whether the link in the mail was not used in time."""
    return data_request.proved_at is None and data_request.created_at < now() - UNPROVED_KEPT


def copy_of(data_request: PrivacyRequest) -> dict[str, Any] | None:
    """Everything held about who asked; None unless they proved it, and for a week only."""
    if data_request.kind != "access" or not data_request.proved_at or data_request.proved_at < now() - COPY_OPEN:
        return None
    email = address_of(data_request)
    return (
        {"email": email, **personal_data.held_about(data_request.agency_id, read_email(email).folded)}
        if email
        else None
    )


def decide(request_id: uuid.UUID, agency_id: uuid.UUID, *, erase: bool, reason: str, by: Actor) -> int:
    """Answer a request; the person is told. Returns how many offers were erased. Raises `Conflict` for a request that
    was answered already or is another agency's."""
    data_request = by_id(request_id)
    if (
        data_request is None
        or data_request.agency_id != agency_id
        or not data_request.proved_at
        or data_request.ended_at
    ):
        raise Conflict
    email = address_of(data_request)
    if email is None:
        raise Conflict
    sealed = seal(agency_key(agency_id, "secret"), _place(agency_id, request_id, "reason"), reason.encode())
    erased = 0
    with writing(agency_id) as tx:
        if erase:
            erased = erasure.erase(tx, personal_data.offers_by_email(agency_id, email), "person", by=by)
        changed = tx.connection.execute(
            update(PrivacyRequest)
            .where(PrivacyRequest.id == request_id, PrivacyRequest.ended_at.is_(None))
            .values(
                ended_at=tx.at,
                outcome="done" if erase else "refused",
                offers=erased if erase else None,
                reason_ct=sealed if reason else None,
            )
        )
        if not changed.rowcount:
            raise Conflict
        _owe(tx, "privacy_ended", request_id, "privacy.ended", by, {"outcome": "done" if erase else "refused"})
    if erased:
        scrub(db.engine)
    return erased


def waiting(agency_id: uuid.UUID) -> list[PrivacyRequest]:
    """Proved requests of an agency: those that wait for its answer first, then what was answered, newest first."""
    query = select(PrivacyRequest).where(PrivacyRequest.agency_id == agency_id, PrivacyRequest.proved_at.is_not(None))
    order = (PrivacyRequest.ended_at.is_not(None), PrivacyRequest.due_at, PrivacyRequest.id)
    return list(db.session.scalars(query.order_by(*order).limit(200)))


def by_id(request_id: uuid.UUID) -> PrivacyRequest | None:
    """For a signed link, or with the agency compared."""
    return db.session.scalar(
        select(PrivacyRequest).where(PrivacyRequest.id == request_id).execution_options(populate_existing=True)
    )


def address_of(data_request: PrivacyRequest) -> str | None:
    """The address that asked, while it is kept."""
    return _opened(data_request, "email", data_request.email_ct)


def reason_of(data_request: PrivacyRequest) -> str | None:
    """What the agency answered with, while it is kept."""
    return _opened(data_request, "reason", data_request.reason_ct)


def remind() -> int:
    """Tell owners once of a request whose time ends within a week; returns how many there were."""
    at = now()
    late = select(PrivacyRequest.id, PrivacyRequest.agency_id).where(
        PrivacyRequest.ended_at.is_(None), PrivacyRequest.reminded_at.is_(None), PrivacyRequest.due_at < at + REMIND
    )
    rows = db.session.execute(late.limit(100)).all()
    for request_id, agency_id in rows:
        with writing(agency_id) as tx:
            reminding = update(PrivacyRequest).where(PrivacyRequest.id == request_id).values(reminded_at=tx.at)
            tx.connection.execute(reminding)
            _tell_owners(tx, "privacy_asked", tx.record("privacy.reminded", request_id, SYSTEM))
    return len(rows)


def forget() -> int:
    """Drop unproved requests, the addresses of answered ones, and in the end everything but the row.

    An address is kept until the answer has reached it, a copy can no longer be read, and a refusal no longer be
    contested. The blind index stays longer: who has the address can show by it that the person was answered.
    """
    at = now()
    table = PrivacyRequest
    read = and_(table.kind == "access", table.ended_at < at - COPY_OPEN)
    told = and_(table.kind == "erasure", ~_answer_on_its_way())
    old = table.ended_at < at - ENDED_KEPT
    with housekeeping() as connection:
        unproved = delete(table).where(table.proved_at.is_(None), table.created_at < at - UNPROVED_KEPT)
        done = (
            update(table)
            .where(table.outcome == "done", table.email_ct.is_not(None), or_(read, told))
            .values(email_ct=None, reason_ct=None)
        )
        ended = update(table).where(old, table.tag.is_not(None)).values(email_ct=None, reason_ct=None, tag=None)
        dropped = sum(int(connection.execute(statement).rowcount) for statement in (unproved, done, ended))
    if dropped:
        scrub(db.engine)
    return dropped


def _answer_on_its_way() -> ColumnElement[bool]:
    """Whether the mail that tells the person of the agency's answer is still owed."""
    return exists().where(
        Delivery.agency_id == PrivacyRequest.agency_id,
        Delivery.template == "privacy_ended",
        Delivery.state.in_(("pending", "leased")),
        Delivery.subject_id == key_in_sql(PrivacyRequest.id),
    )


def _opened(data_request: PrivacyRequest, column: str, sealed: bytes | None) -> str | None:
    if sealed is None:
        return None
    return unseal(
        agency_key(data_request.agency_id, "secret"), _place(data_request.agency_id, data_request.id, column), sealed
    ).decode()


def _place(agency_id: uuid.UUID, request_id: uuid.UUID, column: str) -> Place:
    return Place(agency_id, "privacy_request", column, request_id)


def _owe(tx: UnitOfWork, template: str, request_id: uuid.UUID, kind: str, by: Actor, data: dict[str, Any]) -> None:
    """A mail to who asked."""
    tx.record(kind, request_id, by, data)
    tx.owe_mail(template, about("privacy_request", request_id))


def _tell_owners(tx: UnitOfWork, template: str, seq: int) -> None:
    owners = select(User.id).where(User.agency_id == tx.agency_id, User.role == OWNER, User.active.is_(True))
    for user_id in tx.connection.scalars(owners).all():
        tx.owe_mail(template, about("entry", seq), user_id=user_id)


def is_late(data_request: PrivacyRequest, at: datetime) -> bool:
    return data_request.ended_at is None and data_request.due_at is not None and data_request.due_at < at + REMIND
