"""The document of an offer, letter by letter: what is committed to today must be so for ever."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

from app.core.money import Money
from app.offers.document import Bidder, Document, Draft, Signature, commitment, decode, encode, fold

PICTURE = b"a picture"
WHOLE = Draft.of(
    bidder=Bidder("Ana-Maria Ștefănescu", "ana@client.example", "+40722000111", "company", "Ștefănescu SRL", "RO123"),
    amount=Money(118_500_05, "EUR"),
    financing="mixed",
    payment_term_days=45,
    own_funds_amount=Money(50_000_50, "EUR"),
    credit_amount=Money(68_499_55, "EUR"),
    credit_program="noua_casa",
    credit_preapproved=False,
    payment_term_note="după aprobare",
    valid_until=date(2030, 5, 17),
    advance_amount=Money(1_00, "EUR"),
    advance_percent="10",
    conditions=("inspection", "bank_approval"),
    conditions_text="fără „mobilă”",
    precontract_date=date(2030, 6, 1),
    deed_date=date(2030, 7, 2),
    viewing="none",
    co_buyers=("Maria", "Ion"),
    represented_by="Dan Broker",
    message="rând\nrând",
    replaces="BF-AAAA",
    signature=Signature("drawn", image=PICTURE),
)
LEAST = Draft.of(Bidder("Ion", None, "+40722000222"), amount=Money(1, "RON"), financing="cash", payment_term_days=0)


def test_a_whole_document_is_these_very_bytes() -> None:
    text = encode({"id": "1", "channel": None}, WHOLE.terms(), bytes(range(32)))
    assert text.decode() == (
        '{"channel":null,"id":"1","offer":{"advance_amount":"1.00","advance_percent":"10","amount":"118500.05",'
        '"bidder":{"company_name":"Ștefănescu SRL","email":"ana@client.example","full_name":"Ana-Maria Ștefănescu",'
        '"phone":"+40722000111","tax_id":"RO123","type":"company"},"co_buyers":["Maria","Ion"],'
        '"conditions":{"kinds":["bank_approval","inspection"],"text":"fără „mobilă”"},"credit_amount":"68499.55",'
        '"credit_preapproved":false,"credit_program":"noua_casa","currency":"EUR","deed_date":"2030-07-02",'
        '"financing":"mixed","message":"rând\\nrând","own_funds_amount":"50000.50","payment_term_days":45,'
        '"payment_term_note":"după aprobare","precontract_date":"2030-06-01","replaces":"BF-AAAA",'
        '"represented_by":"Dan Broker","signature":{"image_sha256":"'
        + sha256(PICTURE).hexdigest()
        + '","kind":"drawn","text":null},"valid_until":"2030-05-17","viewing":"none"},'
        '"salt":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","schema":"bidflux.offer/1"}'
    )
    assert commitment(text).hex() == "6903189117b8b2c39c6ea232304e5374599db844457912c4531e30547d77ddcd"
    opened = decode(text)
    assert opened.terms == WHOLE.terms() and opened.bidder == WHOLE.bidder and "Ana" not in repr(opened)


def test_what_was_left_out_is_null() -> None:
    said = LEAST.terms()
    assert said["bidder"] == {
        "full_name": "Ion", "email": None, "phone": "+40722000222", "type": "person",
        "company_name": None, "tax_id": None,
    }  # fmt: skip
    empty = {"conditions": {"kinds": [], "text": None}, "co_buyers": []}
    given = {"amount": "0.01", "currency": "RON", "financing": "cash", "payment_term_days": 0, "bidder": said["bidder"]}
    assert said == {**dict.fromkeys(WHOLE.terms()), **empty, **given}
    assert Signature("typed", "Ion").shown == {"kind": "typed", "text": "Ion", "image_sha256": None}
    assert Document({"offer": said}).bidder.type == "person"


def test_names_are_searched_without_case_marks_or_spare_spaces() -> None:
    assert fold("  Ștefănescu \t ANA-Ţuță ß ") == "stefanescu ana tuta ss"
    assert WHOLE.bidder.folded_name == "ana maria stefanescu"
