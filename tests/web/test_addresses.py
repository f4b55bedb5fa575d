"""Limits count a whole IPv6 line as one caller, however many addresses its devices pick."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.web.addresses import limited_by
from tests.factories import csrf


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3::%eth0", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::203.0.113.7", "203.0.113.7"),
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("2002:cb00:7107:1234::1", "203.0.113.7"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_a_caller_is_counted_by_line(address: str, counted: str) -> None:
    assert limited_by(address) == counted


def test_who_hops_within_one_line_meets_the_limit(client: FlaskClient) -> None:
    answers = []
    for n in range(21):
        token = csrf(client.get("/login/forgot").get_data(as_text=True))
        form = {"email": f"n{n}@nimeni.example", "csrf_token": token}
        from_there = {"REMOTE_ADDR": f"2001:db8:7:9::{n:x}"}
        answers.append(client.post("/login/forgot", data=form, environ_overrides=from_there).status_code)
    assert answers == [303] * 20 + [429]
    other = client.post("/login/forgot", data=form, environ_overrides={"REMOTE_ADDR": "2001:db8:7:a::1"})
    assert other.status_code == 303
