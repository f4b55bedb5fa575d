"""A property, its offers, and the receipts made of them by the real worker's code."""

from __future__ import annotations

import io
import uuid

import pytest
from flask import Flask
from PIL import Image, ImageDraw

from app.models import Property
from app.offer_document import Signature
from app.services import receipts, texts
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user
from tests.jobs.conftest import mailbox, smtp  # noqa: F401  the mail server
from tests.jobs.test_mails import EVERYTHING


@pytest.fixture
def prop(app: Flask) -> Property:
    agency = make_agency()
    return make_property(agency, make_user(agency, "owner").id)


def drawn() -> Signature:
    """A signature as the form sends one."""
    image = Image.new("RGBA", (600, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).line([(20, 150), (200, 30), (300, 160), (550, 60)], fill=(0, 0, 80, 255), width=6)
    body = io.BytesIO()
    image.save(body, "PNG")
    return Signature("drawn", image=body.getvalue())


def full_offer(app: Flask, prop: Property, language: str = "ro") -> uuid.UUID:
    """An offer with everything that one can hold."""
    with app.test_request_context():
        shown = {kind: texts.kept(kind, language) for kind in ("notice", "rules")}
    draft = make_draft(**{**EVERYTHING, "signature": drawn()})
    return make_offer(prop, draft, texts=shown, language=language)


@pytest.fixture
def sealed(app: Flask, prop: Property) -> bytes:
    """The receipt of a full offer."""
    return receipts.make(prop.agency_id, full_offer(app, prop))


@pytest.fixture
def roots(app: Flask) -> bytes:
    """The public root certificate."""
    return receipts.authority().roots_pem()
