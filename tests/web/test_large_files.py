"""Large files under way: one for each agency, and never as many as there are threads."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient

from app.core.errors import TooMany
from app.models import Property, User
from app.offers.exports import writing
from app.web import large_files
from app.web.large_files import large_file
from tests.accounts.test_settings import post
from tests.factories import login, make_offer

FIRST, SECOND, THIRD = (uuid.UUID(int=n) for n in range(3))


@pytest.fixture(autouse=True)
def none_under_way() -> Iterator[None]:
    yield
    assert not large_files._under_way


def begun(agency_id: uuid.UUID) -> Response:
    """A file of which nobody has taken a row yet."""
    with large_file(agency_id) as sent:
        return sent(Response(iter(["a", "b"])))


def test_an_agency_has_one_under_way_and_all_have_half_of_the_threads(app: Flask) -> None:
    first, second = begun(FIRST), begun(SECOND)
    for agency_id in (FIRST, THIRD):
        with pytest.raises(TooMany):
            begun(agency_id)
    second.close()  # given up before its first row
    third = begun(THIRD)
    with pytest.raises(TooMany):
        begun(SECOND)
    assert third.get_data() == b"ab"  # taken to its end
    again = begun(THIRD)
    third.close()  # has no place any more, and takes nobody's
    with pytest.raises(TooMany):
        begun(THIRD)
    again.close()
    first.close()


def test_what_breaks_gives_its_place_back() -> None:
    with pytest.raises(ZeroDivisionError), large_file(FIRST):
        1 / 0  # noqa: B018  a fault
    with large_file(FIRST) as sent:
        broken = sent(Response(str(1 // n) for n in (1, 0)))
    with pytest.raises(ZeroDivisionError):
        broken.get_data()


@pytest.mark.parametrize("path", ["/app/offers.csv", "/app/offers.xlsx"])
def test_an_export_waits_for_the_one_under_way(
    client: FlaskClient, owner: User, prop: Property, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_offer(prop)
    login(client, owner)
    held = begun(owner.agency_id)
    refused = client.get(path)
    assert refused.status_code == 429 and refused.headers["Retry-After"] == str(large_files.AGAIN)
    assert post(client, "/app/settings/register/export").status_code == 429
    held.close()
    for _time in range(2):
        assert client.get(path).data and client.head(path).status_code == 200
        assert post(client, "/app/settings/register/export").status_code == 200
    monkeypatch.setattr(writing, "record_export", lambda *_args, **_options: 1 // 0)
    assert client.get(path).status_code == 500
