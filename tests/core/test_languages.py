"""A language is one entry, one catalogue and its texts; everything else follows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask
from sqlalchemy import inspect

from app.core.language import LANGUAGES, SOURCE
from app.extensions import db
from tests.conftest import ROOT

ENTRY = """Language("hu", "Magyar", _l("Hungarian"), thousands="\\u00a0", decimal=",", currency_first=False),"""
WORDS = {"Sign in": "Belépés", "Documentation": "Dokumentáció", "Hungarian": "magyar", "Your offer": "Az ön ajánlata"}
VISIT = """
import sys
from pathlib import Path

import app
from app.core.days import read_day
from tests.conftest import make_app, settings_for
from tests.factories import login, make_agency, make_offer, make_property, make_user
from tests.public.test_offer_form import path_of

assert Path(app.__file__).is_relative_to(sys.argv[1]), "the copy is tried, not the product"
app = make_app(settings_for(Path(sys.argv[2])))
with app.app_context():
    owner = make_user(make_agency(), "owner", language="hu")
    prop = make_property(owner.agency_id, owner.id, asking_minor=118_500_50, title_en="Flat")
    make_offer(prop, language="hu")
    client = app.test_client()
    form = path_of(prop)

    def see(path: str, *words: str) -> None:
        page = client.get(path).get_data(as_text=True)
        missing = [word for word in words if word not in page]
        assert not missing, (path, missing, page[:3000])

    see("/hu/", 'lang="hu"', 'hreflang="ro"', 'hreflang="hu"', "Belépés", ">Română</a>", ">English</a>")
    see("/ro/", ">Magyar</a>", 'href="/hu/"')
    see("/hu/docs", "<title>Dokumentáció")
    see("/hu/gdpr", 'lang="hu"')
    see("/hu" + form, "<title>Az ön ajánlata", 'formaction="/ro/', ">Română</button>", "118\\u00a0500,50\\u00a0EUR")
    see("/en" + form, ">Română</button>", ">Magyar</button>", "EUR\\u00a0118,500.50")
    login(client, owner)
    see("/app/properties/%s" % prop.id, 'lang="hu"', "118\\u00a0500,50")
    see("/app/settings/notice", 'name="hu"', 'name="ro"')
    see("/app/settings/agency", ">Magyar</option>")
    see("/app/settings/crm", 'lang="hu"')
    see("/app/properties/%s/offers/new" % prop.id, 'value="hu"')
    schemas = client.get("/api/crm/openapi.json").get_json()["components"]["schemas"]
    assert schemas["OfferNew"]["properties"]["language"]["enum"] == ["ro", "en", "hu"]
    assert read_day("5 március 2027").month == 3
    print("seen")
"""


def test_every_language_has_its_catalogue_and_its_texts() -> None:
    folders = {folder.name for folder in (ROOT / "app" / "translations").iterdir()}
    assert folders == set(LANGUAGES) - {SOURCE}
    texts = [path for path in (ROOT / "app" / "templates").rglob(f"*.{SOURCE}.*")]
    assert texts
    missing = [
        other for path in texts for code in LANGUAGES
        if not (other := path.with_name(path.name.replace(f".{SOURCE}.", f".{code}."))).exists()
    ]  # fmt: skip
    assert not missing


def test_the_database_knows_the_languages(either_app: Flask) -> None:
    (rule,) = [
        rule for rule in inspect(db.engine).get_check_constraints("agency_notice") if "language" in rule["sqltext"]
    ]
    assert set(re.findall(r"'(\w\w)'", rule["sqltext"])) == set(LANGUAGES), "a migration has to tell it of the new one"


@pytest.mark.slow
def test_a_third_language_is_an_entry_a_catalogue_and_its_texts(migrated_sqlite: Path, tmp_path: Path) -> None:
    copy, data = tmp_path / "copy", tmp_path / "data"
    shutil.copytree(ROOT / "app", copy / "app", ignore=shutil.ignore_patterns("static", "__pycache__"))
    (copy / "app" / "static").symlink_to(ROOT / "app" / "static")
    language = copy / "app" / "core" / "language.py"
    english = next(line for line in language.read_text().splitlines(True) if line.strip().startswith('Language("en"'))
    language.write_text(language.read_text().replace(english, f"{english}        {ENTRY}\n"))
    catalogue = Catalog(locale="hu")
    for said, translated in WORDS.items():
        catalogue.add(said, translated)
    folder = copy / "app" / "translations" / "hu" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalogue)
    for text in (copy / "app" / "templates").rglob("*.en.*"):
        shutil.copy(text, text.with_name(text.name.replace(".en.", ".hu.")))
    data.mkdir()
    shutil.copy(migrated_sqlite, data)
    (tmp_path / "visit.py").write_text(VISIT)
    done = subprocess.run(
        [sys.executable, tmp_path / "visit.py", copy, data],
        env={**os.environ, "PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "seen", done.stderr
