"""What is in a row: HTML, currencies, cells of real files, as they are meant."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import Invalid
from app.feeds.rows import NOT_VAT, read_row
from tests.patterns import slow

NAMES = {"external_id": "id", "title": "t", "description": "d", "currency": "c"}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Casă", "Casă"),
        ("<p>Cas&#259; &icirc;n Ia&#x219;i</p>", "Casă în Iași"),
        ("<p>Unu</p><p>Doi</p>", "Unu\n\nDoi"),
        ("<p>Unu\n continuă</p>\n\n<p>&nbsp;</p>\n<P CLASS='x'>Doi<br/>Trei</P>", "Unu continuă\n\nDoi\nTrei"),
        ("Unu\n\nDoi &amp; <b>trei</b>", "Unu\n\nDoi & trei"),
        ("<ul><li>Unu</li><li>Doi</li></ul>Trei", "• Unu\n• Doi\n\nTrei"),
        ("&lt;p&gt;Cas&amp;abreve; &amp;icirc;n&lt;/p&gt;", "Casă în"),
        ("Preț <100.000 €, a < b > c, R&D, &region=1 &no;", "Preț <100.000 €, a < b > c, R&D, &region=1 &no;"),
        ("Scrieți la <ana@example.com>", "Scrieți la <ana@example.com>"),
        ("<script>alert('<b>x</b>')</script>Casă<style>p{}</style><!-- <p>nu</p> -->", "Casă"),
        ("<!-- neînchis", "<!-- neînchis"),
        ("Apar&shy;ta&#8203;ment <b>mare</b>", "Apartament mare"),
        ("<p></p>", None),
        ("<table><tr><td>Etaj</td><td>2</td></tr></table>", "Etaj 2"),
    ],
)  # fmt: skip
def test_html_becomes_the_text_that_it_says(said: str, text: str | None) -> None:
    sent = read_row({"id": 1, "t": "Casă", "d": said}, NAMES)
    assert sent.columns["description"] == text


def test_a_title_of_html_is_one_line() -> None:
    assert read_row({"id": 1, "t": "<h1>Cas&#259;</h1><br>mare"}, NAMES).columns["title"] == "Casă mare"


@pytest.mark.parametrize(
    "part", ["<!--", "<p", "<script>", "&", "&#", "<p>", "</", "<a href='", "&amp;amp;amp;", "<li>"]
)
def test_hostile_html_costs_little(part: str) -> None:
    def refuse() -> None:
        with pytest.raises(Invalid):
            read_row({"id": 1, "t": part * (390_000 // len(part)) + "x" * 300}, NAMES)

    assert not slow(refuse)


@pytest.mark.parametrize(
    ("said", "code"),
    [("euro", "EUR"), ("Euro", "EUR"), ("EUR", "EUR"), ("€", "EUR"), ("lei", "RON"), ("Leu", "RON"), ("ron.", "RON")],
)
def test_a_currency_is_read_by_its_word(said: str, code: str) -> None:
    assert read_row({"id": 1, "t": "Casă", "c": said}, NAMES).columns["currency"] == code


def one(**given: Any) -> dict[str, Any]:
    """A row of one field more than it needs, as it would come in."""
    named = {name: name for name in ("external_id", "title", *given)}
    sent = read_row({"external_id": "1", "title": "Casă", **given}, named)
    return {**sent.columns, "photo": sent.photo, "agent": sent.agent_email}


@pytest.mark.parametrize(
    ("name", "given", "column", "value"),
    [
        ("price_vat", "TVA inclus", "price_vat", "included"), ("price_vat", "cu TVA", "price_vat", "included"),
        ("price_vat", "plus TVA", "price_vat", "excluded"),
        ("price_vat", "+tva", "price_vat", "excluded"), ("price_vat", "Scutit de TVA", "price_vat", "exempt"),
        ("price_vat", "VAT excluded", "price_vat", "excluded"), ("price_vat", True, "price_vat", "included"),
        ("price_vat", "", "price_vat", None), ("price_vat", None, "price_vat", None),
        ("accepts_offers", "ADEVĂRAT", "accepts_offers", True), ("accepts_offers", "Fals", "accepts_offers", False),
        ("accepts_offers", 1.0, "accepts_offers", True), ("property_type", "Apartamente", "property_type", "apartment"),
        ("property_type", "Casă / Vilă", "property_type", "house"),
        ("property_type", "Garsoniere", "property_type", "apartment"),
        ("property_type", "Spațiu de birouri", "property_type", "office"),
        ("property_type", "iaht", "property_type", "other"),
        ("asking_price", "125.000 &euro;", "asking_minor", 125_000_00), ("currency", "&euro;", "currency", "EUR"),
        ("usable_area_sqm", "65 m&sup2;", "usable_area_sqm", 65),
        ("usable_area_sqm", "65 m<sup>2</sup>", "usable_area_sqm", 65),
        ("title", "<![CDATA[Casă]]>", "title", "Casă"), ("title", "Ca\u200bsă\u00ad", "title", "Casă"),
        ("buyer_commission", "2%<br>+ TVA", "buyer_commission", "2% + TVA"),
        ("crm_url", "https://x.ro/?a=1&amp;b=2", "crm_url", "https://x.ro/?a=1&b=2"),
        ("agent_email", "Ana <ana@x.ro>;", "agent", "ana@x.ro"),
        ("photo_url", "https://x.ro/1.jpg|https://x.ro/2.jpg", "photo", "https://x.ro/1.jpg"),
        ("photo_url", "https://x.ro/1.jpg, https://x.ro/2.jpg", "photo", "https://x.ro/1.jpg"),
        ("photo_url", "//x.ro/ă.jpg?a=1&amp;b=2", "photo", "https://x.ro/%C4%83.jpg?a=1&b=2"),
        ("photo_url", "https://x.ro//a.jpg?of=https://y.ro/b", "photo", "https://x.ro//a.jpg?of=https://y.ro/b"),
    ],
)  # fmt: skip
def test_a_cell_of_a_real_file_is_read_as_it_is_meant(name: str, given: Any, column: str, value: Any) -> None:
    found = one(**{name: given})
    assert (found.get(column), type(found.get(column))) == (value, type(value))


@pytest.mark.parametrize("said", ["fără TVA", "21%", "TVA", "nu este inclus", "inclus plus", "xyz", 21])
def test_what_is_said_of_vat_and_not_understood_is_never_dropped(said: Any) -> None:
    with pytest.raises(Invalid) as why:
        one(price_vat=said)
    assert why.value.errors == {"price_vat": [NOT_VAT]}
