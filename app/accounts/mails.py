"""Mails to people of an agency about the agency itself, not about one offer; among them those to who is asked in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app.accounts import invitations
from app.delivery.composing import DeliveryRow, NoLongerOwed, compose_mail, speaking
from app.delivery.registry import Registry
from app.extensions import db
from app.models import Account, Agency, User
from app.outbound.smtp import Mailbox, OutgoingMail, sender

Values = Callable[[DeliveryRow], dict[str, Any]]


def register(registry: Registry) -> None:
    registry.mail("account_invited", to_colleague(_link))
    registry.mail("account_reset", to_colleague(_link))
    registry.mail("invitation", _invitation, "account_known", "account_invited")
    registry.first.append(invitations.answer_resets)


def to_colleague(values_of: Values) -> Callable[[DeliveryRow], OutgoingMail]:
    """What composes a mail to the user whom the delivery names, from `values_of` it and the values of all such mails.
    Raises `NoLongerOwed` when there is nothing left to tell."""

    def compose(delivery: DeliveryRow) -> OutgoingMail:
        row = db.session.execute(
            select(User.full_name, User.email, Account.language, User.active, Agency.name, Agency.zone)
            .outerjoin(User.account)
            .join(Agency, Agency.id == User.agency_id)
            .where(User.agency_id == delivery.agency_id, User.id == delivery.user_id)
        ).one_or_none()
        if row is None or not row.active:
            raise NoLongerOwed("left")
        with speaking(row.language, row.zone):
            named = {"agency_name": row.name, "reader_name": row.full_name, "reader_email": row.email}
            return compose_mail(
                delivery, {**values_of(delivery), **named}, to=Mailbox(row.email, row.full_name), sender=sender()
            )

    return compose


def _link(delivery: DeliveryRow) -> dict[str, Any]:
    """The link by which a colleague chooses a password."""
    return {"url": invitations.link_for(delivery), "until": delivery.created_at + invitations.LIVES[delivery.template]}


def _invitation(delivery: DeliveryRow) -> OutgoingMail:
    """The link, by which a person who signs in elsewhere joins with a press. Raises `NoLongerOwed` once they have
    joined or were invited again, or the link was withdrawn or has expired."""
    invitation, url, until = invitations.of_mail(delivery)
    agency = db.session.get_one(Agency, delivery.agency_id)
    known = invitations.is_known(invitation)
    values = {
        "agency_name": agency.name,
        "reader_name": invitation.full_name,
        "reader_email": invitation.email,
        "url": url,
        "until": until,
    }
    with speaking(invitation.language, agency.zone):
        template = "account_known" if known else "account_invited"
        return compose_mail(
            delivery, values, to=Mailbox(invitation.email, invitation.full_name), sender=sender(), template=template
        )
