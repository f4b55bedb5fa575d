"""Addresses as people type them."""

from __future__ import annotations

import pytest

from app.outbound.addresses import Refused, check_url
from app.outbound.written_urls import WHY, as_called

TYPED = {
    "HTTPS://crm.example/hook": "https://crm.example/hook",
    "https://imobiliară.ro/primește?ș=ț#ă": "https://xn--imobiliar-ycb.ro/prime%C8%99te?%C8%99=%C8%9B#%C4%83",
    "https://Imobiliară.ro:443/": "https://xn--imobiliar-ycb.ro:443/",
    "hTTps://пример.рф/a%20b": "https://xn--e1afmkfd.xn--p1ai/a%20b",
    "https://crm.example/a?b=c&d=%C8%99": "https://crm.example/a?b=c&d=%C8%99",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/x": "https://[2606:2800:220:1:248:1893:25c8:1946]/x",
}


@pytest.mark.parametrize("typed", TYPED)
def test_an_address_is_spelled_as_it_is_called(typed: str) -> None:
    assert as_called(typed) == TYPED[typed] == as_called(TYPED[typed])
    check_url(as_called(typed))


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("ftp://crm.example/", "scheme"),
        ("crm.example/hook", "scheme"),
        ("https://", "host"),
        ("https://ana:secret@crm.example/", "credentials"),
        ("https://ană:secret@crm.example/", "credentials"),
        ("https://a\u2028b.example/", "host"),
        ("https://☃️-..example/", "host"),
        ("https://crm.example/a b", "letters"),
        ("https://crm.example/ă b", "letters"),
        ("https://crm.example/" + "ă" * 1000, "letters"),
        ("https://crm.example:8443/", "port"),
        ("https://１２７.0.0.1/", "address"),
        ("https://ⓛocalhost/", "address"),
        ("https://[::1/", "host"),
    ],
)
def test_what_is_not_called_says_the_true_reason(typed: str, why: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(as_called(typed))
    assert str(refused.value) == why and why in WHY
