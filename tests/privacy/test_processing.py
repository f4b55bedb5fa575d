"""The record of processing, and the table on the page about privacy, say what the map of data says."""

from __future__ import annotations

from html import unescape

from flask.testing import FlaskClient

from app.privacy.data_map import BIDDERS, IN_CLEAR, personal
from tests.factories import login, make_agency, make_user


def test_an_owner_reads_the_record_of_processing(client: FlaskClient) -> None:
    agency_id = make_agency("Casa Bună")
    login(client, make_user(agency_id, "owner", language="en"))
    page = unescape(client.get("/app/settings/processing").get_data(as_text=True))
    assert "Casa Bună" in page and "Offers without an answer 1 year" in page and "90 days" in page
    assert all(one.title in page for one in personal())


def test_an_agent_does_not(client: FlaskClient) -> None:
    login(client, make_user(make_agency()))
    assert client.get("/app/settings/processing").status_code in {403, 404}


def test_the_public_page_says_what_is_kept_about_clients_and_nothing_of_staff(client: FlaskClient) -> None:
    page = unescape(client.get("/en/gdpr").get_data(as_text=True))
    for one in personal():
        assert (one.title in page) == (one.whose == BIDDERS)


def test_the_public_page_names_everything_that_stays_in_clear(client: FlaskClient) -> None:
    page = unescape(client.get("/en/gdpr").get_data(as_text=True))
    assert all(words in page for words in IN_CLEAR)


def test_both_languages_have_the_table(client: FlaskClient) -> None:
    assert "Amprente cu cheie secretă" in client.get("/gdpr").get_data(as_text=True)
