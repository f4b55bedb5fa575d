"""People spell names as they can: those that mean the same find each other, and lists run by the Romanian alphabet."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import literal, select, union_all

from app.core.access import Person
from app.core.collation import alphabetically
from app.core.database import alphabetical
from app.extensions import db
from app.models import Offer, Property
from app.offers.document import Bidder, fold
from app.offers.list.filter import OfferFilter
from app.offers.list.pages import list_offers
from app.properties.listing import agent_choices, property_choices
from app.properties.search import holding_words
from tests.factories import make_agency, make_draft, make_offer, make_property, make_user, person_of

ALIKE = [
    ("O'Brien", "O’Brien"), ("O'Brien", "obrien"), ("Ana-Maria Pop", "Ana Maria Pop"), ("Ana Maria", "ana‑maria"),
    ("Łukasz", "Lukasz"), ("Đorđević", "Dordevic"), ("Søren", "soren"), ("Großmann", "grossmann"),
    ("Ștefan Țurcanu", "stefan turcanu"), ("S\u0326tefan", "Ștefan"), ("Mc\u200bDonald", "McDonald"), ("Bo", "bo"),
    ("李明", "李明"), ("Popescu, Ana", "Popescu Ana"), ("Dr. Ana Pop", "dr ana pop"),
    ("Ana (Maria) Pop", "ana maria pop"),
    ("„Ana” Pop", "ana pop"), ("Ana/Ion Pop", "ana ion pop"), ("O‘Brien", "OʻBrien"), ("Žižek", "zizek"),
    ("Işık", "isik"),
    ("Иванов", "ИВАНОВ"), ("مُحَمَّد", "محمد"), ("Σίσυφος", "σισυφοσ"),
]  # fmt: skip
ORDER = [
    "10 case", "Ala", "Azi", "Ăla", "Ângelus", "Inel", "Izvor", "Înalt", "Łódź", "Mare", "Stan", "Szabo", "Ștefan",
    "Timiș", "Ținut", "Unu", "Zori",
]  # fmt: skip


@pytest.fixture
def by(app: Flask) -> Person:
    return person_of(make_user(make_agency(), "owner"))


def found(by: Person, text: str) -> list[str]:
    page = list_offers(by, OfferFilter(q=text))
    return [line.reference for line in page.lines]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_spellings_of_one_name_find_each_other(by: Person, one: str, other: str) -> None:
    assert fold(one) == fold(other) == fold(fold(one))
    prop = make_property(by.agency_id, by.user.id)
    for name in (one, other):
        make_offer(prop, make_draft(bidder=Bidder(name, "x@client.example", "+40722000111")))
    make_offer(prop, make_draft(bidder=Bidder("Cu totul altcineva", "y@client.example", "+40722000112")))
    assert len(found(by, one)) == len(found(by, other)) == 2


@pytest.mark.parametrize("said", ["{}", "bf {}", "bf-{}", "BF–{}", "bf{}", "bf {:.4} {rest}", "{lower}"])
def test_a_reference_is_found_as_people_read_it_out(by: Person, said: str) -> None:
    offer_id = make_offer(make_property(by.agency_id, by.user.id))
    reference = db.session.get_one(Offer, offer_id).reference
    code = reference.removeprefix("BF-")
    assert found(by, said.format(code, rest=code[4:], lower=code.lower())) == [reference]


def test_names_kept_by_an_earlier_folding_are_found_too(by: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    prop = make_property(by.agency_id, by.user.id)
    with monkeypatch.context() as earlier:
        earlier.setattr(Bidder, "folded_name", property(lambda self: "ana-maria o'brien"))
        make_offer(prop, make_draft(bidder=Bidder("Ana-Maria O'Brien", "x@client.example", "+40722000111")))
    assert len(found(by, "Ana Maria")) == len(found(by, "O’Brien")) == 1


@pytest.mark.parametrize("text", [".", "-", "'", "„”", "?!", "\u200b."])
def test_marks_alone_find_nobody(by: Person, text: str) -> None:
    make_offer(make_property(by.agency_id, by.user.id))
    assert found(by, text) == []


def test_a_property_is_found_in_either_spelling_on_both_engines(either_app: Flask) -> None:
    agency_id = make_agency()
    title = "Vilă Pipera–Tunari, Łódź, Bd. Ştefan cel Mare"
    prop = make_property(agency_id, make_user(agency_id).id, title=title, title_en=None)
    for text in ("pipera-tunari", "PIPERA—TUNARI", "lodz", "ŁÓDŹ", "stefan vila", "Ștefan"):
        assert db.session.scalars(select(Property.id).where(*holding_words(text))).all() == [prop.id], text


def test_both_engines_sort_by_the_romanian_alphabet(either_app: Flask) -> None:
    words = union_all(*(select(literal(word).label("word")) for word in reversed(ORDER))).subquery()
    assert list(db.session.scalars(select(words.c.word).order_by(*alphabetically(words.c.word)))) == ORDER
    assert sorted(reversed(ORDER), key=lambda word: alphabetical(word) or "") == ORDER


def test_menus_run_by_the_alphabet(by: Person) -> None:
    for name in ("Ținut", "Zori", "Înalt", "Ștefan", "Iris"):
        make_property(by.agency_id, by.user.id, title=name)
        make_user(by.agency_id, full_name=name)
    assert [title for _id, title in property_choices(by)] == ["Iris", "Înalt", "Ștefan", "Ținut", "Zori"]
    names = [name for _id, name in agent_choices(by)]
    assert names == sorted(names, key=lambda name: alphabetical(name) or "") and names.index("Iris") + 1
    assert db.session.scalar(select(Property.title).order_by(*alphabetically(Property.title)).limit(1)) == "Iris"
