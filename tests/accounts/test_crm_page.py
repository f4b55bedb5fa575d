"""The page that says how a CRM is joined."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.factories import login, make_agency, make_user


@pytest.mark.parametrize("language", ["ro", "en"])
def test_each_kind_of_crm_has_its_steps_and_every_way_leads_somewhere(client: FlaskClient, language: str) -> None:
    owner = make_user(make_agency(), "owner", language=language)
    login(client, owner)
    page = client.get("/app/settings/crm").get_data(as_text=True)
    for said in ("REBS", "ImmoFlux", "http://localhost/app/properties/external/", "mailto:support@"):
        assert said in page, said
    article = page[page.index("<h1>") :]
    for where in set(re.findall(r'href="(/[^"]+)"', article)):
        assert client.get(where).status_code == 200, where
    for name in re.findall(r'href="#([a-z]+)"', article):
        assert f'id="{name}"' in article


def test_it_is_the_owners(client: FlaskClient) -> None:
    login(client, make_user(make_agency()))
    assert client.get("/app/settings/crm").status_code in {403, 404}
