"""Offers of people who do not exist, at domains that cannot, through the same rows as a real submission."""

from __future__ import annotations

import gc
import random
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import select

from app.core.clock import now
from app.core.ids import new_reference
from app.core.ledger import BIDDER
from app.core.money import Money
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Offer, Property
from app.offers.document import Bidder, Draft, Signature
from app.offers.submitting import FACTS, Prepared, Sending, prepare, store
from app.proof import texts

BATCH = 2000
SPAN = timedelta(days=21)
FIRST = ("Măriuca", "Ana-Maria", "Cătălin", "Răzvan", "Ștefania", "Vlad", "Ilinca", "Bogdan", "Țvetana", "Horațiu", "Crina", "Dragoș", "Sânziana", "Emil", "Luminița", "Tudor", "Helga", "János", "Marta", "Oliver")  # fmt: skip
LAST = ("Țepeș-Ionescu", "Brâncoveanu", "Popa", "Rădulescu", "Șerban", "Moldovan", "Crețu", "Dănilă", "Lupașcu", "Stănculescu", "Bălan", "Ghiță", "Kovács", "Schuster", "O'Brien", "Năstase", "Țîrlea", "Enache")  # fmt: skip
MESSAGES = (
    "Ne-a plăcut foarte mult; putem semna antecontractul imediat.",
    "Vindem apartamentul nostru până la sfârșitul lunii și apoi suntem gata.",
    "Banca ne-a preaprobat creditul, vă pot trimite dovada.",
    "Am dori să revedem proprietatea sâmbătă, dacă se poate.",
    None,
    None,
    None,
)
NOTES = ("după aprobarea creditului", "în două tranșe egale", None, None)


def seed(agency_id: uuid.UUID, property_ids: list[uuid.UUID], count: int, pick: random.Random) -> list[uuid.UUID]:
    """`count` offers over the past three weeks, in order, with ledger and events; no mail is owed for them."""
    shown = db.session.execute(FACTS.where(Property.id.in_(property_ids))).all()
    notice = {kind: texts.kept(kind, "ro") for kind in ("notice", "rules")}
    last = now()
    moments = iter(sorted(last - SPAN * pick.random() for _ in range(count)))
    made: list[uuid.UUID] = []
    gc.disable()  # nothing here is cyclic, and a tenth of the time would go into finding that out
    while batch := list(islice(moments, BATCH)):
        props = [pick.choice(shown) for _ in batch]
        ready = list(zip(batch, props, _prepared(agency_id, props, pick), strict=True))
        with writing(agency_id) as tx:
            for at, prop, sealed in ready:
                tx.at = at
                sending = sending_of(prop, notice, pick)
                store(tx, prop, sealed, sending, by=BIDDER)
                made.append(sealed.offer_id)
    gc.enable()
    return made


def _prepared(agency_id: uuid.UUID, props: list[Any], pick: random.Random) -> list[Prepared]:
    """One offer for each property, under references that nobody has."""
    made = [prepare(agency_id, draft(prop, pick)) for prop in props]
    while taken := set(
        db.session.scalars(select(Offer.reference).where(Offer.reference.in_([m.reference for m in made])))
    ):
        made = [replace(m, reference=new_reference()) if m.reference in taken else m for m in made]
    return made


def sending_of(prop: Any, notice: dict[str, str], pick: random.Random) -> Sending:
    nonce = pick.randbytes(16)
    return Sending(nonce, prop.link_version, "ro", "link", notice, f"192.0.2.{pick.randint(1, 254)}", "Demo")


def draft(prop: Any, pick: random.Random) -> Draft:
    first, last = pick.choice(FIRST), pick.choice(LAST)
    asking = prop.asking_minor or 300_000_00
    amount = Money(round(asking * pick.uniform(0.86, 1.04) / 50_000) * 50_000, prop.currency)
    financing = pick.choice(("cash", "credit", "mixed", "mixed"))
    own = Money(round(amount.minor * pick.uniform(0.15, 0.6) / 100_000) * 100_000, prop.currency)
    parts: dict[str, Any] = {}
    if financing != "cash":
        parts = {
            "own_funds_amount": own,
            "credit_amount": Money(amount.minor - own.minor, prop.currency),
            "credit_program": pick.choice(("standard", "standard", "noua_casa")),
            "credit_preapproved": pick.random() < 0.5,
        }
    number = pick.randint(0, 99_999)
    return Draft.of(
        bidder=Bidder(f"{first} {last}", f"client{number}@client.example", f"+4072{number + 2_000_000:07d}"),
        amount=amount,
        financing=financing,
        payment_term_days=pick.choice((15, 30, 30, 45, 60, 90)),
        payment_term_note=pick.choice(NOTES) if financing != "cash" else None,
        conditions=("bank_approval",) if financing != "cash" and pick.random() < 0.6 else (),
        message=pick.choice(MESSAGES),
        valid_until=(now() + timedelta(days=pick.randint(5, 40))).date() if pick.random() < 0.4 else None,
        signature=Signature("typed", text=f"{first} {last}") if prop.signature_required else None,
        **parts,
    )
