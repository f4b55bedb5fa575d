"""One row of a feed as a property: fields picked by a mapping, values read leniently, faults named by field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from app.core.contacts import NotAContact, read_email
from app.core.errors import Invalid
from app.core.language import msgid
from app.core.money import CURRENCY_WORDS, NotMoney, OtherCurrency, decimal_text, read_amount
from app.core.numbers import NotANumber, decimal, whole
from app.core.typed_numbers import ASK, POINT, TypedNumber, read_quantity, tidy
from app.core.values import HIDDEN, is_text, made_text
from app.feeds.cells import SHEET_ERROR, Priced, Unread
from app.feeds.plain_text import plain_text
from app.models.property import PROPERTY_TYPES
from app.outbound.written_urls import as_called
from app.properties.fields import PropertyBulkItem, sent_property
from app.properties.plausible import SIZES, UNITS
from app.properties.syncing import SentProperty

# What can be mapped. `active` only decides whether a row counts at all.
FIELDS = (
    "external_id", "title", "title_en", "description", "description_en", "property_type", "for_sale", "active",
    "address", "zone", "city", "county", "usable_area_sqm", "built_area_sqm", "land_area_sqm", "rooms", "asking_price",
    "currency", "price_vat", "buyer_commission", "crm_url", "agent_email", "accepts_offers",
    "photo_url",
)  # fmt: skip
NEEDED = ("external_id", "title")
_KEEP = ("currency", "property_type", "accepts_offers")  # empty, they keep what is there

# REBS: https://github.com/rebs-group, the public property API. A mapping of the owner's goes before.
REBS = {
    "external_id": "internal_id", "title": "title", "title_en": "title_en", "description": "description",
    "description_en": "description_en", "property_type": "property_type", "for_sale": "for_sale", "active": "is_active",
    "address": "street", "zone": "zone", "city": "city", "county": "region", "usable_area_sqm": "surface_useable",
    "built_area_sqm": "surface_built", "land_area_sqm": "surface_land", "rooms": "rooms", "asking_price": "price_sale",
    "currency": "currency_sale", "price_vat": "vat_sale", "crm_url": "url", "agent_email": "agent.email",
    "accepts_offers": "accepts_offers", "photo_url": "images",
}  # fmt: skip

LISTED = 20_000  # characters of a list of photos in one text
PHOTO_NAMES = ("url", "original", "full", "large", "image", "src", "href")
YES = frozenset({"1", "true", "yes", "da", "on", "y", "x", "adevărat", "adevarat"})
NO = frozenset({"0", "false", "no", "nu", "off", "n", "", "fals"})
_TYPES = {
    "apartament": "apartment", "garsoniera": "apartment", "garsonieră": "apartment", "studio": "apartment",
    "casa": "house", "casă": "house", "vila": "house", "vilă": "house", "villa": "house", "teren": "land",
    "spatiu comercial": "commercial", "spațiu comercial": "commercial", "retail": "commercial", "birou": "office",
    "birouri": "office", "spatiu industrial": "industrial", "spațiu industrial": "industrial", "hala": "industrial",
    "hală": "industrial",
}  # fmt: skip
# What else begins with such letters is of that type.
_STEMS = {
    "apartament": "apartment", "apartment": "apartment", "garson": "apartment", "penthouse": "apartment",
    "studio": "apartment", "cas": "house", "vil": "house", "house": "house", "teren": "land", "land": "land",
    "comercial": "commercial", "commercial": "commercial", "birou": "office", "office": "office",
    "industrial": "industrial", "hal": "industrial",
}  # fmt: skip
_VAT = {
    **dict.fromkeys(("da", "true", "1", "inclus", "inclusă", "inclusa", "incl", "included", "cu"), "included"),
    **dict.fromkeys(("+", "plus", "exclus", "neinclus", "neinclusă", "neinclusa", "excl", "excluded"), "excluded"),
    **dict.fromkeys(("nu", "scutit", "scutită", "scutita", "exempt", "exempted"), "exempt"),
}
_OF_VAT = frozenset(["tva", "vat", "de", "în", "in", "preț", "pret", "price", "is", "este"])
_UNSAID = frozenset({"", "false", "0", "-", "n/a"})
_PLAIN = str.maketrans("țţăâî", "ttaai")
# A price that is told to whoever asks is none.
_NO_PRICE = re.compile(
    r"(?:(?:pret|pretul|price) ?:? ?)?"
    r"(?:(?:(?:la|on|upon|by) )?(?:cerere|solicitare|request|application|demand|enquiry)"
    r"|p\.?o\.?[ar]\.?|negociabil|negotiable|necomunicat|n/?a|[-–—])(?: ?(?:eur|euro|€|lei|ron))?"
    r"|fara pret|no price"
)
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|####*)")
_ADDRESS = re.compile(
    r"(?:https?:)?//[!-~\u00a1-\uffff]{1,1900}?(?=\s*[|;,]\s*(?:https?:)?//|\s+https?://|[|;,]?$)", re.IGNORECASE
)

MISSING = msgid("Missing")
TOO_LONG = msgid("Too long")
NOT_NUMBER = msgid("Not a number above zero, or too large")
TWO_WAYS = msgid("Can be read in two ways: say in the feed's settings what a point and a comma mean")
TWO_CURRENCIES = msgid("Written in another currency than the one named beside it")
NOT_AMOUNT = msgid("Not an amount that we take")
NOT_CURRENCY = msgid("Only EUR and RON")
NOT_YES_OR_NO = msgid("Neither yes nor no")
NOT_TEXT = msgid("Not a text")
NOT_CLEAN = msgid("Control or invisible characters, or several lines")
NOT_PATH = msgid("No slash at the beginning or end, no two in a row, and no part that is only . or ..")
NOT_ADDRESS = msgid("Not an e-mail address")
NOT_VAT = msgid("Not what we know of VAT: included (inclus), excluded (+ TVA) or exempt (scutit)")
NOT_LINK = msgid("Not an https:// or http:// address")


class NotForSale(Exception):
    """The row takes no offers: for rent only, or no longer active."""


class _Wrong(Exception):
    """A value that cannot be taken; the argument says why."""


def _whole(value: Any) -> Any:
    """`101` of `101.0`: JSON has one kind of numbers, and the same id may be written either way."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 10**15 else value


def named_by(row: Any, mapping: Mapping[str, str]) -> str:
    """The id that a row, good or not, gives its property; empty when there is none."""
    found = _whole(_pick(row, mapping["external_id"])) if isinstance(row, dict) else _ABSENT
    return made_text(str(found)[:200]).strip()[:100] if isinstance(found, str | int | float) else ""


def read_row(row: Any, mapping: Mapping[str, str], separators: str = ASK) -> SentProperty:
    """The property that a row names; only mapped fields that the row has are set. `separators` as the feed has them.

    Raises `Invalid` with the faults by our field, and `NotForSale`.
    """
    if not isinstance(row, dict):
        raise Invalid({"": [NOT_TEXT]})
    given = {name: found for name in FIELDS if name in mapping and (found := _pick(row, mapping[name])) is not _ABSENT}
    columns, faults = _values(given, separators)
    if columns.pop("active", True) is False or columns.pop("for_sale", True) is False:
        raise NotForSale
    photo = columns.pop("photo_url", None)
    values = {name: value for name, value in columns.items() if name not in _KEEP or value is not None}
    told = {"asking_minor" if name == "asking_price" else name for name in values}
    sent = _as_the_api_takes_it(values, faults)
    return replace(sent, columns={k: v for k, v in sent.columns.items() if k in told}, photo=photo)


def _as_the_api_takes_it(values: dict[str, Any], faults: dict[str, list[str]]) -> SentProperty:
    """Check what was read by the API's model; raises `Invalid` with its faults by our field, and those known before."""
    email, named = values.pop("agent_email", None), str(values.get("external_id") or "")
    if email:
        values["agent"] = {"email": email}
    try:
        item = PropertyBulkItem.model_validate(values)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            name = "agent_email" if fault["loc"][0] == "agent" else str(fault["loc"][0])
            problem = NOT_CLEAN if name == "external_id" and not (is_text(named) and named.isprintable()) else ""
            faults.setdefault(name, [problem or _said_of(name, fault["type"])])
    if faults:
        raise Invalid(faults)
    return sent_property(item)


def _said_of(name: str, fault: str) -> str:
    """What is wrong with a field, by the kind of fault that pydantic names."""
    if fault in {"missing", "string_too_short"} and name in NEEDED:
        return MISSING
    if fault == "string_too_long":
        return TOO_LONG
    if name in SIZES:
        return NOT_NUMBER
    return {"external_id": NOT_PATH, "asking_price": NOT_AMOUNT, "crm_url": NOT_LINK, "agent_email": NOT_ADDRESS}.get(
        name, NOT_CLEAN
    )


def _reader(name: str) -> Callable[[str, Any], Any]:
    found: Callable[[str, Any], Any] = _READ.get(name) or _text
    return found


def _values(given: Mapping[str, Any], separators: str) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What was given, read, and what of it cannot be."""
    columns: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    typed_in: str | None = None
    for name, value in given.items():
        try:
            if name in SIZES:
                columns[name] = _size(name, value, separators)
            elif name == "asking_price":
                columns[name], typed_in = _amount(value, separators)
            else:
                columns[name] = _reader(name)(name, value)
        except _Wrong as wrong:
            faults[name] = [str(wrong)]
    if typed_in and columns.setdefault("currency", typed_in) != typed_in:
        if columns["currency"]:
            faults["asking_price"] = [TWO_CURRENCIES]
        columns["currency"] = typed_in
    for name in NEEDED:
        if not columns.get(name) and name not in faults:
            faults[name] = [MISSING]
    return columns, faults


_ABSENT = object()


def _pick(row: Any, path: str) -> Any:
    """The value at a path of names, with numbers inside lists; a name that has a dot itself is tried first."""
    if path in row:
        return row[path]
    for name in path.split("."):
        if isinstance(row, list) and name.isdecimal():
            row = _nth(row, name)
        elif isinstance(row, dict) and name in row:
            row = row[name]
        else:
            return _ABSENT
    return row


def _nth(row: list[Any], name: str) -> Any:
    try:
        return row[whole(name, 0, len(row) - 1)]
    except NotANumber:
        return _ABSENT


def _said(value: Any) -> str:
    if isinstance(value, Unread):
        raise _Wrong(value.why)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise _Wrong(NOT_TEXT)
    value = _whole(value)
    text = "" if value is None else str(value).replace("\r\n", "\n").replace("\r", "\n").strip()
    if _ERROR.fullmatch(text):
        raise _Wrong(SHEET_ERROR)
    return text


def _text(_name: str, value: Any) -> str | None:
    return _said(value) or None


def _line(_name: str, value: Any) -> str | None:
    return _plain(value, one_line=True) or None


def _plain(value: Any, *, one_line: bool = False) -> str:
    return HIDDEN.sub("", plain_text(_said(value), one_line=one_line)).strip()


def _link(_name: str, value: Any) -> str | None:
    """An address, as a page of HTML may have written it."""
    return _said(value).replace("&amp;", "&") or None


def _agent(_name: str, value: Any) -> str | None:
    """An e-mail address alone, also of `Ana <ana@example.com>`; what cannot be one is refused further on."""
    text = _said(value)
    try:
        return read_email(text).address if text else None
    except NotAContact:
        return text


def _photo(_name: str, value: Any) -> str | None:
    """The first address in a text, an object or a list of them; None without one."""
    if isinstance(value, Unread):
        raise _Wrong(value.why)
    for item in value if isinstance(value, list) else [value]:
        for text in [item.get(name) for name in PHOTO_NAMES] if isinstance(item, dict) else [item]:
            if isinstance(text, str) and len(text) <= LISTED and (found := _ADDRESS.match(text.strip())):
                scheme, _, rest = found[0].replace("&amp;", "&").partition("//")
                return as_called(f"{scheme or 'https:'}//{rest}")
    return None


def _size(name: str, value: Any, separators: str) -> int | float | None:
    """An area or a number of rooms. A number of JSON says itself what its point means."""
    text = _plain(value)
    if not text:
        return None
    try:
        typed = (
            TypedNumber(decimal(text))
            if isinstance(value, int | float)
            else read_quantity(text, UNITS[name], separators)
        )
        size = tidy(round(typed.value, 2))
    except NotANumber:
        raise _Wrong(NOT_NUMBER) from None
    if typed.other is not None:
        raise _Wrong(TWO_WAYS)
    return size or None


def _amount(value: Any, separators: str) -> tuple[str | None, str | None]:
    """A price as a decimal string, and the currency that was written with it."""
    text = _plain(value)
    if not text or _NO_PRICE.fullmatch(" ".join(text.lower().translate(_PLAIN).split())):
        return None, None
    try:
        read = read_amount(text, separators=POINT if isinstance(value, int | float | Priced) else separators)
    except OtherCurrency:
        raise _Wrong(NOT_CURRENCY) from None
    except NotMoney:
        raise _Wrong(NOT_AMOUNT) from None
    if read.doubtful:
        raise _Wrong(TWO_WAYS)
    return (decimal_text(read.minor) if read.minor else None), read.currency


def _currency(_name: str, value: Any) -> str | None:
    text = _plain(value).lower().rstrip(".")
    if text and text not in CURRENCY_WORDS:
        raise _Wrong(NOT_CURRENCY)
    return CURRENCY_WORDS.get(text)


def _yes(_name: str, value: Any) -> bool | None:
    text = str(value).lower() if isinstance(value, bool) else _said(value).lower()
    if text not in YES | NO:
        raise _Wrong(NOT_YES_OR_NO)
    return None if value is None or value == "" else text in YES


def _kind(_name: str, value: Any) -> str | None:
    text = _said(value).lower()
    if not text:
        return None
    found = _TYPES.get(text, text)
    if found in PROPERTY_TYPES:
        return found
    words = re.findall(r"\w+", text)
    return next((kind for word in words for stem, kind in _STEMS.items() if word.startswith(stem)), "other")


def _vat(_name: str, value: Any) -> str | None:
    """VAT, with the word itself or without; what is not understood is a fault, never dropped."""
    text = str(value).lower() if isinstance(value, bool) else _plain(value).lower()
    meant = {_VAT.get(word) for word in re.findall(r"\w+|\+", text) if word not in _OF_VAT}
    if text in _UNSAID:
        return None
    if len(meant) != 1 or None in meant:
        raise _Wrong(NOT_VAT)
    return meant.pop()


_READ: dict[str, Callable[[str, Any], Any]] = {
    "property_type": _kind, "for_sale": _yes, "active": _yes, "currency": _currency, "price_vat": _vat,
    "accepts_offers": _yes, "photo_url": _photo, "crm_url": _link, "agent_email": _agent,
    **dict.fromkeys(("title", "title_en", "address", "zone", "city", "county", "buyer_commission"), _line),
    **dict.fromkeys(("description", "description_en"), lambda _name, value: _plain(value) or None),
}  # fmt: skip
