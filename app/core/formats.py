"""How values are shown: money, moments, labels of enumerations, versioned addresses of assets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from flask import Flask, g
from flask_babel import format_date as babel_date
from flask_babel import format_datetime as babel_datetime
from flask_babel import gettext, lazy_gettext, ngettext
from flask_login import current_user
from markupsafe import Markup, escape

from app.core import limits, money
from app.core.clock import now
from app.core.contacts import show_phone
from app.core.labels import ACTORS, GONE_TEXTS, LINK_STATES, STEP_CONFIRMED, STEP_ICONS, STEPS, filter_label, label
from app.core.language import LANGUAGES, language, other_languages
from app.core.money import Money

DEFAULT_ZONE = "Europe/Bucharest"
STATIC = Path(__file__).parents[1] / "static"
COUNTED = 1000  # counters of lists are exact up to here


def zone() -> ZoneInfo:
    """The agency's zone: set by the page, else the signed-in person's, else Bucharest."""
    name = g.get("zone")
    if not name and current_user and current_user.is_authenticated:
        name = current_user.agency.zone
    return _zone(name or DEFAULT_ZONE)


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def show_datetime(moment: datetime) -> str:
    """`23 noiembrie 2026, 18:00 (ora României)`: in the agency's zone, with the zone named."""
    local = moment.astimezone(here := zone())
    where = here.key
    named = _("Romanian time") if where == DEFAULT_ZONE else where
    return f"{babel_datetime(local, 'd MMMM y, HH:mm', rebase=False)} ({named})"


def show_short(moment: datetime) -> str:
    """`23 nov., 18:00`, for tables whose head names the zone."""
    return short_in(moment, zone(), language())


def short_in(moment: datetime, here: ZoneInfo, spoken: str, year: int | None = None) -> str:
    """The same of many moments, with zone and language asked for once; `year` is the present one there."""
    local = moment.astimezone(here)
    this_year = local.year == (year or datetime.now(here).year)
    return f"{_short_day(local.date(), spoken, this_year=this_year)}, {local:%H:%M}"


@lru_cache(maxsize=1000)
def _short_day(day: date, spoken: str, *, this_year: bool) -> str:
    return format_date(day, "d MMM" if this_year else "d MMM y", locale=spoken)


def show_seconds(moment: datetime) -> str:
    """`23 nov., 18:00:05`, for logs."""
    return str(babel_datetime(moment.astimezone(zone()), "d MMM, HH:mm:ss", rebase=False))


def show_date(day: date | datetime) -> str:
    if isinstance(day, datetime):
        day = day.astimezone(zone()).date()
    return str(babel_date(day, "d MMMM y", rebase=False))


def show_money(amount: Money) -> str:
    return money.show(amount, language())


def show_percent(part: int, whole: int) -> str:
    return money.percent(part, whole, language())


def percent_text(share: str) -> str:
    """`10,5%` of a decimal string."""
    return f"{number_text(share)}%"


def number_text(value: float | str | None) -> str:
    """`72,4` of a size; empty for None. Without separators of thousands, as it can be typed again."""
    text = "" if value is None else str(value)
    return text.replace(".", LANGUAGES[language()].decimal)


def capped(count: int) -> str:
    """A counter that stopped counting past a thousand: `1000+`."""
    return f"{COUNTED}+" if count > COUNTED else str(count)


def days(count: int) -> str:
    return _days(count, language())


@lru_cache(maxsize=1000)
def _days(count: int, _language: str) -> str:
    """Asked for in that language, which is the reader's."""
    return str(ngettext("%(num)d day", "%(num)d days", count))


SIGNATURE_WORTH = lazy_gettext(
    "A simple electronic signature: evidence that the offer was sent. It equals a handwritten one only for small"
    " values, where the other side recognises it, or between professionals who agreed so."
)


def signature_worth() -> str:
    """The one sentence that stands wherever the signature is named (Law 214/2024)."""
    return str(SIGNATURE_WORTH)


def _(text: str) -> str:
    return str(lazy_gettext(text))


@lru_cache(maxsize=256)
def _digest(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10]


def asset(path: str) -> str:
    """The address of a static file with its content in it, so that browsers may keep it for ever."""
    return f"/static/{path}?v={_digest(path)}"


def step_text(step: Any) -> str:
    """A ledger entry in words; a decision names the status it led to."""
    text = str(STEPS.get(step.kind, step.kind))
    if step.kind == "offer.submitted" and step.data.get("source") in {"agent", "api"}:
        text = gettext("Offer recorded for the client")
        if channel := step.data.get("channel"):
            text = f"{text} ({label('channel', channel).lower()})"
    if step.kind == "offer.confirmed" or (step.kind, step.data.get("proof")) == ("offer.code_confirmed", "held_link"):
        return str(STEP_CONFIRMED[step.data.get("proof", "held_link")])
    if step.data.get("way") == "private_page":
        return str(gettext("Signature confirmed on the client's private page"))
    if step.kind in {"offer.replaced", "offer.answered"}:
        return f"{text} ({str(label('previous_proof', step.data['proof'])).lower()})"
    if step.kind == "property.availability":
        return f"{text}: {label('availability', step.data['to']).lower()}"
    if step.kind == "property.bidders_told" and not step.data["mail"]:
        return str(gettext("Decided to tell the bidders nothing"))
    if "undoes" in step.data:
        text = gettext("Answer undone")
    if step.kind != "offer.decided":
        return text
    despite = "".join(f", {label('despite_step', concern)}" for concern in step.data.get("despite", []))
    return f"{text}: {label('status', step.data['to']).lower()}{despite}"


def step_actor(step: Any) -> str:
    actor = "seller" if step.kind == "seller.opened" else step.actor
    return str(step.who or ACTORS.get(actor, actor))


def step_icon(step: Any) -> str:
    """The picture beside a step, by what it led to or by its kind."""
    led_to = step.data.get("to") if step.kind == "offer.decided" else None
    return STEP_ICONS.get(led_to or step.kind, "edit")


def step_tone(step: Any) -> str:
    if step.kind == "offer.submitted":
        return "new"
    led_to = step.data.get("to") if step.kind == "offer.decided" else None
    return {"accepted": "good", "rejected": "bad"}.get(led_to or "", "")


def gone_text(state: str) -> str:
    """What became of a property, in a sentence for buyers."""
    return str(GONE_TEXTS[state])


def link_badge(state: str) -> Markup:
    """Where a link stands, as a badge."""
    text, tone = LINK_STATES[state]
    extra = f" badge--{tone}" if tone else ""
    return Markup('<span class="badge{}">{}</span>').format(extra, str(text))


class Choices(tuple[tuple[Any, str], ...]):
    """Values and what is shown of them, which are the same at many pages: their options are made once."""

    @cached_property
    def options(self) -> str:
        return "\n".join(_option(value, shown) for value, shown in self)


def options(pairs: Iterable[tuple[Any, Any]], chosen: Any = None) -> Markup:
    """The options of a select: values, and what is shown. Of hundreds a loop in a template would be slow."""
    picked = str(chosen)
    if isinstance(pairs, Choices):
        before = _opening(picked)
        html = pairs.options.replace(before, f"{before[:-1]} selected>", 1) if chosen else pairs.options
        return Markup(html)  # noqa: S704  # nosec B704  each piece is escaped
    parts = [_option(value, shown, " selected" if str(value) == picked else "") for value, shown in pairs]
    return Markup("\n".join(parts))  # noqa: S704  # nosec B704  each piece is escaped


def _opening(value: Any, mark: str = "") -> str:
    return f'<option value="{escape(value)}"{mark}>'


def _option(value: Any, shown: Any, mark: str = "") -> str:
    return f"{_opening(value, mark)}{escape(shown)}</option>"


def register_presentation(app: Flask) -> None:
    app.jinja_env.filters.update(
        money=show_money,
        datetime=show_datetime,
        short=show_short,
        seconds=show_seconds,
        date=show_date,
        iso=lambda moment: moment.isoformat(),
        days=days,
        capped=capped,
        pair=lambda value, kind: (value, label(kind, value)),
        phone=show_phone,
    )
    app.jinja_env.globals.update(
        support_email=app.extensions["bidflux_settings"].support_email,
        label=label,
        options=options,
        filter_label=filter_label,
        step_text=step_text,
        signature_worth=signature_worth,
        step_actor=step_actor,
        step_icon=step_icon,
        step_tone=step_tone,
        link_badge=link_badge,
        now_iso=lambda: now().isoformat(),
        gone_text=gone_text,
        other_languages=other_languages,
        LANGUAGES=LANGUAGES,
        zone_name=lambda: zone().key,
        asset=asset,
        show_percent=show_percent,
        percent_text=percent_text,
        number_text=number_text,
        IN_ADDRESS=limits.IN_ADDRESS,
        Money=Money,
    )
    app.context_processor(lambda: {"lang": language()})
