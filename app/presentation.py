"""How values are shown: money, moments, labels of enumerations, versioned addresses of assets."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, g
from flask_babel import format_date as babel_date
from flask_babel import format_datetime as babel_datetime
from flask_babel import gettext, lazy_gettext, ngettext
from flask_login import current_user
from markupsafe import Markup, escape

from app import feed_faults, limits, money
from app.clock import now
from app.contacts import show_phone
from app.language import language
from app.models.property import GONE
from app.money import Money

DEFAULT_ZONE = "Europe/Bucharest"
STATIC = Path(__file__).parent / "static"
COUNTED = 1000  # counters of lists are exact up to here

LABELS: dict[str, dict[str, Any]] = {
    "access": {
        "viewed": lazy_gettext("opened an offer"),
        "searched": lazy_gettext("found an offer by its person"),
        "exported": lazy_gettext("took out a list"),
        "read": lazy_gettext("read an offer over the API"),
        "listed": lazy_gettext("took a list over the API"),
    },
    "status": {
        "new": lazy_gettext("New"),
        "viewed": lazy_gettext("Viewed"),
        "accepted": lazy_gettext("Accepted"),
        "rejected": lazy_gettext("Rejected"),
    },
    "financing": {
        "cash": lazy_gettext("Cash (own funds, through a bank)"),
        "credit": lazy_gettext("Credit"),
        "mixed": lazy_gettext("Mixed (own funds and credit)"),
    },
    "financing_short": {
        "cash": lazy_gettext("Cash"),
        "credit": lazy_gettext("Credit"),
        "mixed": lazy_gettext("Mixed"),
    },
    "credit_program": {"standard": lazy_gettext("Standard mortgage"), "noua_casa": lazy_gettext("Noua Casă programme")},
    "condition": {
        "bank_approval": lazy_gettext("Approval of the credit by the bank"),
        "home_sale": lazy_gettext("Sale of another home"),
        "inspection": lazy_gettext("Technical inspection"),
    },
    "property_type": {
        "apartment": lazy_gettext("Apartment"),
        "house": lazy_gettext("House"),
        "land": lazy_gettext("Land"),
        "commercial": lazy_gettext("Commercial space"),
        "office": lazy_gettext("Office"),
        "industrial": lazy_gettext("Industrial space"),
        "other": lazy_gettext("Other property"),
    },
    "price_vat": {
        "included": lazy_gettext("VAT included"),
        "excluded": lazy_gettext("plus VAT"),
        "exempt": lazy_gettext("VAT exempt"),
    },
    "source": {
        "link": lazy_gettext("Offer link"),
        "agent": lazy_gettext("Recorded by the agent"),
        "api": lazy_gettext("CRM"),
    },
    "proof": {
        "code": lazy_gettext("Code sent to the client's e-mail"),
        "held_link": lazy_gettext("Link that the agency held"),
    },
    "previous_proof": {
        "code": lazy_gettext("Code sent to the client's e-mail"),
        "mailed_link": lazy_gettext("Link sent to the client's e-mail alone"),
        "private_page": lazy_gettext("The client's private page"),
        "held_link": lazy_gettext("Link that the agency held"),
    },
    "channel": {
        "phone": lazy_gettext("Taken by phone"),
        "whatsapp": lazy_gettext("Came by WhatsApp"),
        "mail": lazy_gettext("Came by e-mail"),
        "in_person": lazy_gettext("Taken in person"),
    },
    "despite": {
        "replaced": lazy_gettext("Accept it although its client replaced it"),
        "expired": lazy_gettext("Accept it although its last day has passed"),
        "archived": lazy_gettext("Accept it although the property is archived"),
        "gone": lazy_gettext("Accept it although the property is not for sale any more"),
        "second": lazy_gettext("Accept it although another offer for the property is accepted"),
    },
    "despite_step": {
        "replaced": lazy_gettext("although it was replaced"),
        "expired": lazy_gettext("although its last day had passed"),
        "archived": lazy_gettext("although the property was archived"),
        "gone": lazy_gettext("although the property was not for sale any more"),
        "second": lazy_gettext("although another offer was accepted"),
    },
    "signature": {"drawn": lazy_gettext("Drawn signature"), "typed": lazy_gettext("Typed signature")},
    "purpose": {
        "seller": lazy_gettext("Report to the seller"),
        "agency": lazy_gettext("Work inside the agency"),
        "accounting": lazy_gettext("Accounting"),
        "person": lazy_gettext("A person asked for their data"),
        "other": lazy_gettext("Something else"),
    },
    "role": {"owner": lazy_gettext("Administrator"), "agent": lazy_gettext("Agent")},
    "bidder_type": {"person": lazy_gettext("A person"), "company": lazy_gettext("A company")},
    # As its bidder reads it: what the agent did, without saying how they work.
    "bidder_status": {
        "new": lazy_gettext("Received, not opened yet"),
        "viewed": lazy_gettext("Opened by the agent"),
        "accepted": lazy_gettext("Accepted"),
        "rejected": lazy_gettext("Not accepted"),
    },
    "availability": {
        "available": lazy_gettext("Available"),
        "reserved": lazy_gettext("Reserved"),
        "sold": lazy_gettext("Sold"),
        "rented": lazy_gettext("Rented out"),
        "withdrawn": lazy_gettext("Off the market"),
        "unavailable": lazy_gettext("Not available"),
    },
    "delivery": {
        "pending": lazy_gettext("Waiting to be sent"),
        "leased": lazy_gettext("Being sent"),
        "delivered": lazy_gettext("Sent"),
        "dead": lazy_gettext("Could not be sent"),
        "cancelled": lazy_gettext("Cancelled"),
    },
    "event": {
        "offer.created": lazy_gettext("Offer came in"),
        "offer.viewed": lazy_gettext("Offer opened for the first time"),
        "offer.status_changed": lazy_gettext("Offer accepted, rejected or put back"),
        "offer.better_asked": lazy_gettext("Better offer asked for"),
        "offer.superseded": lazy_gettext("Offer replaced by a better one"),
        "offer.confirmed": lazy_gettext("Recorded offer confirmed by its bidder"),
        "offer.withdrawn": lazy_gettext("Offer withdrawn"),
        "offer.erased": lazy_gettext("Bidder's data erased"),
        "property.created": lazy_gettext("Property created"),
        "property.updated": lazy_gettext("Property changed"),
        "property.archived": lazy_gettext("Property archived"),
        "link.rotated": lazy_gettext("New link made"),
        "webhook.test": lazy_gettext("Test call"),
    },
    "feed_fault": {
        "timeout": lazy_gettext("The feed could not be read whole"),
        "killed": lazy_gettext("The feed could not be read whole"),
        "fault": lazy_gettext("The feed could not be read whole"),
        "broken": lazy_gettext("The connection broke off"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "address": lazy_gettext("The address leads into a private network, which is not called"),
        "port": lazy_gettext("Only the ports 443 and 80 are called"),
        "key": lazy_gettext("The CRM does not accept the key"),
        "status": lazy_gettext("The CRM answered with an error"),
        "not_json": lazy_gettext("What came is not a list of properties"),
        "shape": lazy_gettext("What came is not a list of properties"),
        "next": lazy_gettext("The address of the next page leads elsewhere or in a circle"),
        "short": lazy_gettext("Fewer rows came than were announced"),
        "large": lazy_gettext("A page is larger than 8 MB, or holds too many values"),
        "rows": lazy_gettext("The feed has more than 50,000 rows"),
        "quota": lazy_gettext("The agency has reached its limit for today"),
        "slow": lazy_gettext("The CRM took too long to answer"),
        **feed_faults.FILE,
    },
    "mail_refused": {"recipient": lazy_gettext("Not sent: this address got too many mails from you within a day")},
    "photo_fault": {
        "timeout": lazy_gettext("The photo did not come within 30 seconds"),
        "broken": lazy_gettext("The connection broke off"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "address": lazy_gettext("The address leads into a private network, which is not called"),
        "port": lazy_gettext("Only the ports 443 and 80 are called"),
        "status": lazy_gettext("The CRM answered with an error"),
        "large": lazy_gettext("The photo is larger than 10 MB"),
        "not_photo": lazy_gettext("What came is not a JPEG, PNG or WebP picture"),
    },
    "webhook_off": {
        "owner": lazy_gettext("Calls are turned off."),
        "gone": lazy_gettext("Calls have stopped: the address answered that it no longer exists (410)."),
        "failing": lazy_gettext("Calls have stopped: for five days none was accepted."),
    },
    "no_timestamp": {
        "timeout": lazy_gettext("No whole answer within 15 seconds"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "broken": lazy_gettext("The connection broke off"),
        "refused": lazy_gettext("The address leads into a private network, which is not called"),
        "declined": lazy_gettext("The authority declined"),
        "invalid": lazy_gettext("What came is no timestamp of this head"),
    },
    "webhook_fault": {
        "timeout": lazy_gettext("No whole answer within 15 seconds"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "broken": lazy_gettext("The connection broke off"),
        "refused: address": lazy_gettext("The address leads into a private network, which is not called"),
        "refused: port": lazy_gettext("Only the ports 443 and 80 are called"),
        "fault": lazy_gettext("The call could not be made, for a fault of BidFlux"),
    },
}


FILTERS: dict[str, Any] = {
    "q": lazy_gettext("Search"),
    "status": lazy_gettext("Status"),
    "property_id": lazy_gettext("Property"),
    "property_external_id": lazy_gettext("CRM id"),
    "agent": lazy_gettext("Agent"),
    "financing": lazy_gettext("Financing"),
    "currency": lazy_gettext("Currency"),
    "min_amount": lazy_gettext("Amount from"),
    "max_amount": lazy_gettext("Amount to"),
    "ratio_from": lazy_gettext("Of the asking price, from"),
    "ratio_below": lazy_gettext("Of the asking price, under"),
    "submitted_after": lazy_gettext("Submitted from"),
    "submitted_before": lazy_gettext("Submitted to"),
    "updated_since": lazy_gettext("Changed since"),
    "min_term": lazy_gettext("Payment term from, in days"),
    "max_term": lazy_gettext("Payment term to, in days"),
    "source": lazy_gettext("Source"),
    "signed": lazy_gettext("Signed"),
    "confirmed": lazy_gettext("Confirmed"),
    "latest": lazy_gettext("Latest"),
    "reference": lazy_gettext("Reference"),
    "email": lazy_gettext("E-mail"),
    "sort": lazy_gettext("Order"),
}


def filter_label(name: str) -> str:
    """What a field of the filter of offers is called."""
    return str(FILTERS[name])


def label(kind: str, value: str) -> str:
    """The name of an enumeration's value in the reader's language."""
    return str(LABELS[kind].get(value, value))


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
    here = zone()
    local = moment.astimezone(here)
    this_year = local.year == datetime.now(here).year
    return str(babel_datetime(local, "d MMM, HH:mm" if this_year else "d MMM y, HH:mm", rebase=False))


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
    return f"{share if language() == 'en' else share.replace('.', ',')}%"


def number_text(value: float | None) -> str:
    """`72,4` of a size; empty for None. Without separators of thousands, as it can be typed again."""
    text = "" if value is None else str(value)
    return text if language() == "en" else text.replace(".", ",")


def capped(count: int) -> str:
    """A counter that stopped counting past a thousand: `1000+`."""
    return f"{COUNTED}+" if count > COUNTED else str(count)


def days(count: int) -> str:
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


# What each kind of ledger entry is called on a timeline.
STEPS: dict[str, Any] = {
    "offer.submitted": lazy_gettext("Offer sent"),
    "offer.confirmed": lazy_gettext("Confirmed through the link"),
    "offer.confirmation_asked": lazy_gettext("Asked again to confirm"),
    "offer.viewed": lazy_gettext("Opened"),
    "receipt.sealed": lazy_gettext("Receipt sealed"),
    "offer.code_confirmed": lazy_gettext("Signature confirmed by a code from the client's e-mail"),
    "offer.decided": lazy_gettext("Status changed"),
    "note.written": lazy_gettext("Note written"),
    "note.removed": lazy_gettext("Note removed"),
    "property.created": lazy_gettext("Property created"),
    "property.updated": lazy_gettext("Property changed"),
    "property.archived": lazy_gettext("Property archived"),
    "property.availability": lazy_gettext("Availability changed"),
    "property.bidders_told": lazy_gettext("Bidders told that the property is gone"),
    "property.telling_undone": lazy_gettext("Telling the bidders undone"),
    "property.restored": lazy_gettext("Property taken out of the archive"),
    "property.agent_changed": lazy_gettext("Responsible agent changed"),
    "offer.withdrawn": lazy_gettext("Offer withdrawn"),
    "offer.better_asked": lazy_gettext("Better offer asked for"),
    "offer.better_link_shown": lazy_gettext("Link of the request shown to be passed on"),
    "offer.answered": lazy_gettext("A better offer, as it was asked for"),
    "offer.replaced": lazy_gettext("Took the place of an earlier offer"),
    "offer.better_taken_back": lazy_gettext("Request for a better offer taken back"),
    "offer.moved": lazy_gettext("Put elsewhere in the order"),
    "order.reset": lazy_gettext("Order taken back"),
    "seller.shared": lazy_gettext("Seller's page shared"),
    "seller.opened": lazy_gettext("Seller's page opened"),
    "seller.revoked": lazy_gettext("Seller's page closed"),
    "property.outcome": lazy_gettext("Outcome decided"),
    "link.on": lazy_gettext("Link turned on"),
    "link.off": lazy_gettext("Link turned off"),
    "link.changed": lazy_gettext("Rules of the link changed"),
    "link.rotated": lazy_gettext("New link made"),
}
# Entries of before codes were asked for name no proof: a press of the link's button was enough then.
STEP_CONFIRMED = {
    "code": lazy_gettext("Confirmed by the client with a code from their e-mail"),
    "held_link": lazy_gettext("Confirmed through a link that the agency held"),
}
STEP_ICONS = {
    "offer.submitted": "mail",
    "offer.viewed": "eye",
    "accepted": "check",
    "rejected": "close",
    "new": "mail",
    "viewed": "eye",
    "property.created": "plus",
    "offer.withdrawn": "close",
    "seller.opened": "eye",
    "seller.shared": "link",
    "seller.revoked": "lock",
    "link.on": "link",
    "link.off": "lock",
    "link.rotated": "refresh",
}
ACTORS: dict[str, Any] = {
    "user": lazy_gettext("a colleague"),
    "api_key": lazy_gettext("the CRM"),
    "bidder": lazy_gettext("the client"),
    "system": lazy_gettext("the system"),
    "seller": lazy_gettext("whoever has the link"),
}
LINK_STATES: dict[str, tuple[Any, str]] = {
    "open": (lazy_gettext("Takes offers"), "good"),
    "not_open": (lazy_gettext("Not open yet"), "warn"),
    "closed": (lazy_gettext("Closed"), ""),
    "off": (lazy_gettext("Off"), ""),
    **{state: (LABELS["availability"][state], "") for state in GONE},
}

GONE_TEXTS = {
    "sold": lazy_gettext("The property has been sold"),
    "rented": lazy_gettext("The property has been rented out"),
    "withdrawn": lazy_gettext("The property was taken off the market"),
    "unavailable": lazy_gettext("The property is no longer available"),
}


def step_text(step: Any) -> str:
    """A ledger entry in words; a decision names the status it led to."""
    text = str(STEPS.get(step.kind, step.kind))
    if step.kind == "offer.submitted" and step.data.get("source") in {"agent", "api"}:
        text = gettext("Offer recorded for the client")
        if channel := step.data.get("channel"):
            text = f"{text} ({label('channel', channel).lower()})"
    if step.kind == "offer.confirmed" or (step.kind, step.data.get("proof")) == ("offer.code_confirmed", "held_link"):
        return str(STEP_CONFIRMED[step.data.get("proof", "held_link")])
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
    despite = "".join(f", {label('despite_step', one)}" for one in step.data.get("despite", []))
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


def options(pairs: Iterable[tuple[Any, Any]], chosen: Any = None) -> Markup:
    """The options of a select: values, and what is shown. Of hundreds a loop in a template would be slow."""
    picked = str(chosen)
    parts = []
    for value, shown in pairs:
        mark = " selected" if str(value) == picked else ""
        parts.append(f'<option value="{escape(value)}"{mark}>{escape(shown)}</option>')
    return Markup("\n".join(parts))  # noqa: S704  # nosec B704  each piece is escaped


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
        zone_name=lambda: zone().key,
        asset=asset,
        show_percent=show_percent,
        percent_text=percent_text,
        number_text=number_text,
        IN_ADDRESS=limits.IN_ADDRESS,
        Money=Money,
    )
    app.context_processor(lambda: {"lang": language()})
