"""A property as the buyer sees it, and what of it is no longer as they saw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from flask_babel import gettext as _

from app.core.contacts import show_phone
from app.core.formats import number_text, show_datetime, show_money
from app.core.labels import label
from app.core.language import language
from app.core.money import Money, from_decimal_text
from app.models import Property
from app.properties.shown import ShownFacts, shown_of


@dataclass(frozen=True, slots=True)
class PropertyFacts:
    """What the page shows, and where the picture is."""

    shown: ShownFacts
    photo_url: str | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shown, name)


def facts(prop: Property, photo: str | None = None, *, windowed: bool = True) -> PropertyFacts:
    """What a link's page shows; `photo` is the address of the picture, where one is shown."""
    return PropertyFacts(shown_of(prop, prop.agency.name, prop.agent, language(), windowed=windowed), photo)


class Fact(NamedTuple):
    """`text` is empty for a fact that is too long to show: it is only named."""

    name: str
    label: str
    text: str


class ChangedFact(NamedTuple):
    label: str
    before: str
    after: str


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[ChangedFact]:
    """What differs between two snapshots, in words; nothing where the earlier one is not known."""
    if before is None or before == after:
        return []
    old, new = _by_name(before), _by_name(after)
    return [
        ChangedFact(new[name].label, old[name].text, new[name].text)
        for name in new
        if name in old and _raw(before, name) != _raw(after, name)
    ]


def told(snap: Mapping[str, Any]) -> list[Fact]:
    """What the review says of the property once more."""
    names = ("address", "asking_price", "price_vat", "buyer_commission", "usable_area_sqm", "land_area_sqm", "agency")
    facts = _by_name(snap)
    return [facts[name] for name in names if _raw(snap, name)]


def _raw(snap: Mapping[str, Any], name: str) -> Any:
    """A fact by its name; `agent.email` is nested. A price in another currency is another price."""
    outer, _dot, inner = name.partition(".")
    value = snap.get(outer)
    if name == "asking_price" and value:
        return value, snap.get("currency")
    return (value or {}).get(inner) if inner else value


def _by_name(snap: Mapping[str, Any]) -> dict[str, Fact]:
    found = [*_property(snap), *_terms(snap), *_people(snap)]
    return {fact.name: fact for fact in found}


def _property(snap: Mapping[str, Any]) -> list[Fact]:
    kind = label("property_type", snap["property_type"])
    return [
        Fact("title", _("Property"), snap["title"]),
        Fact("address", _("Address"), snap["address"] or _("not stated")),
        Fact("property_type", _("Type"), kind),
        Fact("rooms", _("Rooms"), number_text(snap["rooms"]) or str(_("not stated"))),
        Fact("usable_area_sqm", _("Usable area"), _area(snap["usable_area_sqm"])),
        Fact("built_area_sqm", _("Built area"), _area(snap["built_area_sqm"])),
        Fact("land_area_sqm", _("Land"), _area(snap["land_area_sqm"])),
        Fact("description", _("Description"), ""),
        Fact("photo", _("Picture of the property"), ""),
    ]


def _terms(snap: Mapping[str, Any]) -> list[Fact]:
    vat, price = snap["price_vat"], snap["asking_price"]
    asking = show_money(Money(from_decimal_text(price), snap["currency"])) if price else _("not stated")
    return [
        Fact("currency", _("Currency of the offer"), snap["currency"]),
        Fact("asking_price", _("Asking price"), asking),
        Fact("price_vat", _("VAT"), label("price_vat", vat) if vat else _("not stated")),
        Fact("buyer_commission", _("Commission paid by the buyer"), snap["buyer_commission"] or _("not stated")),
        Fact("opens_at", _("Offers are taken from"), _moment(snap["opens_at"])),
        Fact("closes_at", _("Offers are taken until"), _moment(snap["closes_at"])),
        Fact("signature_required", _("Signature required"), _yes(snap["signature_required"])),
        Fact("code_required", _("Code from your mailbox required"), _yes(snap["code_required"])),
        Fact("field_rules", _("What the form asks for"), ""),
        Fact("texts.notice", _("Privacy notice"), ""),
        Fact("texts.rules", _("Rules beside the button"), ""),
        Fact("asked.offer", _("Replaces the offer"), (snap["asked"] or {}).get("offer") or ""),
    ]


def _people(snap: Mapping[str, Any]) -> list[Fact]:
    agent = snap["agent"]
    return [
        Fact("agency", _("Agency"), snap["agency"]),
        Fact("agent.full_name", _("Agent"), agent["full_name"]),
        Fact("agent.email", _("The agent's e-mail"), agent["email"]),
        Fact("agent.phone", _("The agent's phone"), show_phone(agent["phone"]) if agent["phone"] else _("not stated")),
    ]


def _area(number: float | None) -> str:
    return f"{number_text(number)} m²" if number else str(_("not stated"))


def _yes(value: bool) -> str:
    return str(_("Yes") if value else _("No"))


def _moment(text: str | None) -> str:
    return show_datetime(datetime.fromisoformat(text)) if text else _("not stated")
