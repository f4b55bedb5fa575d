"""The owner says how long what clients send is kept."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.models import Property, User
from app.privacy import retention
from tests.factories import csrf, login, make_agency, make_property, make_user

DAYS = {"undecided_days": "200", "rejected_days": "100", "accepted_days": "900", "origin_days": "30"}


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


def post(client: FlaskClient, path: str, data: dict[str, str]) -> tuple[int, str]:
    page = client.get("/app/settings/retention").get_data(as_text=True)
    answer = client.post(path, data={**data, "csrf_token": csrf(page)})
    return answer.status_code, answer.get_data(as_text=True)


def test_the_agencys_days_are_kept_and_shown(client: FlaskClient, owner: User) -> None:
    page = client.get("/app/settings/retention").get_data(as_text=True)
    assert 'value="365"' in page and 'value="1095"' in page
    assert post(client, "/app/settings/retention", DAYS)[0] == 303
    assert retention.days_of(owner.agency_id) == {name: int(value) for name, value in DAYS.items()}
    assert 'value="900"' in client.get("/app/settings/retention").get_data(as_text=True)


@pytest.mark.parametrize("value", ["", "0", "-3", "3651", "multe", "1.5"])
def test_what_is_no_number_of_days_is_said_and_kept(client: FlaskClient, owner: User, value: str) -> None:
    status, page = post(client, "/app/settings/retention", {**DAYS, "accepted_days": value})
    assert status == 422 and "de la 1 la 3650" in page and 'value="200"' in page
    assert retention.days_of(owner.agency_id) == retention.DEFAULTS


def test_one_property_otherwise(client: FlaskClient, owner: User, prop: Property) -> None:
    where = "/app/settings/retention/property"
    assert post(client, where, {"own-property_id": "", "own-origin_days": "5"})[0] == 422
    assert post(client, where, {"own-property_id": str(prop.id), "own-undecided_days": "20"})[0] == 303
    assert retention.days_of(owner.agency_id, prop.id) == {**dict.fromkeys(retention.KINDS), "undecided_days": 20}
    assert prop.title in client.get("/app/settings/retention").get_data(as_text=True).partition("</form>")[2]


def test_a_strangers_property_and_an_agent_get_nowhere(client: FlaskClient, owner: User) -> None:
    stranger = make_user(make_agency("Alta"), "owner")
    foreign = make_property(stranger.agency_id, stranger.id)
    data = {"own-property_id": str(foreign.id), "own-undecided_days": "20"}
    assert post(client, "/app/settings/retention/property", data)[0] == 422
    agent = make_user(owner.agency_id)
    client.post("/logout", data={"csrf_token": csrf(client.get("/app/settings").get_data(as_text=True))})
    login(client, agent)
    assert client.get("/app/settings/retention").status_code == 404
