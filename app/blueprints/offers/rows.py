"""The rows of a list of offers in words, looked up once a page, and put where `offers/_rows.html` has them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import current_app, url_for
from flask_babel import gettext as _
from jinja2 import Template
from markupsafe import Markup

from app.core import money
from app.core.access import Person
from app.core.formats import days, short_in
from app.core.labels import label
from app.core.language import LANGUAGES, language
from app.core.layouts import Layout, escaped
from app.models.offer import FINANCING, STATUSES
from app.offers.list.pages import OfferLine
from app.web.paths import query_of, with_query

_ANY = uuid.UUID(int=0)


class ShownRow(NamedTuple):
    """What one row shows. `answers` is what the arrow that opens the answers is called, empty where the reader may not
    answer; `marks` are texts, each with its tone."""

    id: str
    url: str
    who: str
    reference: str
    property_title: str
    amount: str
    share: str
    financing: str
    term: str
    status: str
    status_text: str
    choose: str
    answers: str
    submitted_at: str
    submitted: str
    marks: Sequence[tuple[str, str]]


TEXTS = ShownRow._fields[:-1]
PLACED = (*(name for name in TEXTS if name != "answers"), "is_new", "menu", "marks")


class ShownRows(list[ShownRow]):
    """The rows of a table."""

    def placed(self, *, with_property: bool, choosable: bool) -> Markup:
        """As HTML, for a table that shows the property or does not, with a box before each row or without."""
        template = current_app.jinja_env.get_template("offers/_rows.html")
        look = _look(template, bool(with_property), bool(choosable))
        texts = escaped([text for row in self for text in row[:-1]])
        rows = [look.row(texts[at : at + len(TEXTS)], row) for at, row in zip(count(0, len(TEXTS)), self)]
        return Markup("".join(rows))  # noqa: S704  # nosec B704  each value is escaped


class _Look:
    """How rows look in one language: the template's macros, laid out."""

    def __init__(self, template: Template, *, with_property: bool, choosable: bool) -> None:
        made: Any = template.module
        self._row = Layout(made.row, PLACED, with_property=with_property, choosable=choosable)
        self._share = Layout(made.share_of_asking, ("share",))
        self._menu = Layout(made.menu, ("id", "url", "status", "answers"))
        self._mark = made.marked
        self._marks: dict[tuple[str, str], str] = {}

    def row(self, texts: list[str], row: ShownRow) -> str:
        """One row; `texts` are its own, escaped."""
        (offer_id, url, who, reference, title, amount, share, financing, term,
         status, status_text, choose, answers, submitted_at, submitted) = texts  # fmt: skip
        return self._row.filled((
            offer_id, url, who, reference, title, amount, self._share.filled((share,)) if share else "",
            financing, term, status, status_text, choose, submitted_at, submitted,
            " is-new" if row.status == "new" else "",
            self._menu.filled((offer_id, url, status, answers)) if answers else "",
            "".join([self._marked(*mark) for mark in row.marks]) if row.marks else "",
        ))  # fmt: skip

    def _marked(self, text: str, tone: str) -> str:
        """There are few of them."""
        if (text, tone) not in self._marks:
            self._marks[text, tone] = str(self._mark(text, tone))
        return self._marks[text, tone]


@lru_cache(maxsize=16)
def _look(template: Template, with_property: bool, choosable: bool) -> _Look:
    return _Look(template, with_property=with_property, choosable=choosable)


def shown_rows(lines: Iterable[OfferLine], *, by: Person, today: date, named: dict[str, str]) -> ShownRows:
    """The rows as this person reads them; an offer that is opened keeps the filter `named`."""
    words = _Words(by, today, named)
    return ShownRows(words.row(line) for line in lines)


class _Words:
    """What is the same for all rows of a page."""

    def __init__(self, by: Person, today: date, named: dict[str, str]) -> None:
        self._today, self._zone, self._language = today, ZoneInfo(by.agency.zone), language()
        self._answers_all, self._user_id = by.is_owner, by.user.id
        self._before, _id, path = url_for("offers.show", offer_id=_ANY).partition(str(_ANY))
        self._after = with_query(path, query_of(named))
        self._texts = _texts(self._language)
        self._terms: dict[int, str] = {}
        self._year = today.year

    def row(self, line: OfferLine) -> ShownRow:
        offer_id, name = str(line.id), line.name
        if (term := self._terms.get(line.term_days)) is None:
            term = self._terms[line.term_days] = days(line.term_days)
        asking = line.asking_minor
        named = {"name": name or line.reference}
        return ShownRow(
            id=offer_id,
            url=f"{self._before}{offer_id}{self._after}",
            who=name or self._texts.erased,
            reference=line.reference,
            property_title=line.property_title,
            amount=money.show(line.amount, self._language),
            share=money.percent(line.amount.minor, asking, self._language) if asking else "",
            financing=self._texts.financing[line.financing],
            term=term,
            status=line.status,
            status_text=self._texts.statuses[line.status],
            marks=self._marked(line),
            choose=self._texts.choose % named,
            answers=self._texts.answer % named if self._may_answer(line) else "",
            submitted_at=line.submitted_at.isoformat(),
            submitted=short_in(line.submitted_at, self._zone, self._language, self._year),
        )

    def _may_answer(self, line: OfferLine) -> bool:
        if line.name is None or line.withdrawn_at:
            return False
        return self._answers_all or line.agent_id == self._user_id

    def _marked(self, line: OfferLine) -> list[tuple[str, str]]:
        told = (
            ("withdrawn", line.withdrawn_at),
            ("unconfirmed", line.unconfirmed),
            ("held_link", line.held_link),
            ("awaits_code", line.awaits_code),
            ("in_reserve", line.in_reserve),
            ("lapsed", line.lapsed(self._today)),
            ("replaced", not line.latest),
        )
        return [self._texts.marks[name] for name, holds in told if holds]


class _Texts(NamedTuple):
    """What rows say in one language, whoever reads them."""

    statuses: dict[str, str]
    financing: dict[str, str]
    choose: str
    answer: str
    erased: str
    marks: dict[str, tuple[str, str]]


@lru_cache(maxsize=len(LANGUAGES))
def _texts(_language: str) -> _Texts:
    """Asked for in that language, which is the reader's."""
    return _Texts(
        statuses={status: label("status", status) for status in STATUSES},
        financing={kind: label("financing_short", kind) for kind in FINANCING},
        choose=_("Choose the offer of %(name)s"),
        answer=_("Answer the offer of %(name)s"),
        erased=_("Erased"),
        marks={
            "withdrawn": (_("withdrawn"), "warn"),
            "unconfirmed": (_("unconfirmed"), "warn"),
            "held_link": (_("confirmed through the agency's link"), "warn"),
            "awaits_code": (_("not signed yet"), "warn"),
            "in_reserve": (_("in reserve"), ""),
            "lapsed": (_("expired"), "warn"),
            "replaced": (_("replaced"), ""),
        },
    )
