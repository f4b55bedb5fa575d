"""The page about the API is true: its calls are made in its order, and what stands under each is in the answer."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from sqlalchemy import select

from app.extensions import db
from app.models import Offer
from tests.api.conftest import Crm, make_crm
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", TEXT, re.S)


def answer(crm: Crm, command: str) -> Any:
    """What a curl command of the page gets."""
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, url, headers, body = "", "", {}, None
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(words).encode()
        else:
            url = word
    path = url.removeprefix("$BIDFLUX")
    if "$OFFER" in path:
        path = path.replace("$OFFER", str(db.session.scalars(select(Offer.id)).one()))
    headers["Authorization"] = headers["Authorization"].replace("$KEY", crm.key)
    return (
        crm.app.test_client().open(path, method=method or ("POST" if body else "GET"), data=body, headers=headers).json
    )


def holds(got: Any, shown: Any, where: str = "") -> None:
    """Everything shown is in what came, at the same place."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in got, f"{where}/{name}"
            holds(got[name], value, f"{where}/{name}")
    elif isinstance(shown, list):
        assert len(got) >= len(shown), where
        for number, value in enumerate(shown):
            holds(got[number], value, f"{where}/{number}")
    else:
        assert got == shown, where


def test_every_call_of_the_page_is_answered_as_it_says(app: Any) -> None:
    crm = make_crm(app)
    assert len(EXAMPLES) == TEXT.count("\ncurl ") == 8
    for command, shown in EXAMPLES:
        holds(answer(crm, command), json.loads(shown), command[:80])
