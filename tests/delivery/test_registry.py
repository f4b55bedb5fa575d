"""Each mail has what composes it and its texts; the application does not start while one of the two is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

import app as product
from app.config import ConfigurationError, Settings
from app.delivery.composing import PARTS
from app.delivery.registry import Registry
from app.offers import mails as offer_mails


def starting(app: Flask) -> str:
    """What is said instead of a start."""
    settings: Settings = app.extensions["bidflux_settings"]
    with pytest.raises(ConfigurationError) as error:
        product.create_app(settings)
    (fault,) = error.value.faults
    return fault


def test_a_mail_without_texts_stops_the_start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(offer_mails._KINDS, "offer_sung", offer_mails._KINDS["offer_agent"])
    said = starting(app)
    assert said == "mail offer_sung: its texts are missing from templates/emails/offer_sung"


def test_texts_that_nothing_composes_stop_the_start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(offer_mails._KINDS, "offer_better")
    assert starting(app) == "mail offer_better: nothing composes templates/emails/offer_better"


def test_a_name_that_two_compose_stops_the_start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(offer_mails._KINDS, "account_reset", offer_mails._KINDS["offer_agent"])
    assert starting(app) == "mail account_reset: composed twice"


@pytest.mark.parametrize("part", PARTS)
def test_each_of_the_texts_is_wanted(app: Flask, tmp_path: Path, part: str) -> None:
    registry: Registry = app.extensions["bidflux_registry"]
    for name in (name for mail in registry.mails.values() for name in mail.folders):
        (tmp_path / name).mkdir(exist_ok=True)
        for each in PARTS:
            (tmp_path / name / each).touch()
    registry.check(tmp_path)
    (tmp_path / "offer_code" / part).unlink()
    with pytest.raises(ConfigurationError, match="mail offer_code: its texts are missing"):
        registry.check(tmp_path)
