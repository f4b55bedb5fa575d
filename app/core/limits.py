"""How long what is typed may be: said once, for pages, services, filters and the API. Fields of an offer name theirs in
`app.offers.fields`.

No field of a page stops anybody: a browser cuts what is pasted without a word, so that `60 zile` came in as `60 z`.
What is too long is refused, with its limit, and shown again whole. A letter is a code point, and a line's end counts as
one, though browsers send two characters for it.
"""

from __future__ import annotations

LINE, TEXT = 200, 4000
EMAIL, PHONE, NUMBER, DAY = 254, 60, 60, 40
CO_BUYERS = 10
PROPERTY = {
    "title": LINE, "title_en": LINE, "description": 20_000, "description_en": 20_000, "external_id": 100,
    "address": 300, "zone": 120, "city": 120, "county": 120, "buyer_commission": 120, "asking_price": NUMBER,
    "usable_area_sqm": NUMBER, "built_area_sqm": NUMBER, "land_area_sqm": NUMBER, "rooms": NUMBER,
}  # fmt: skip
NOTE, REASON, MESSAGE = TEXT, TEXT, TEXT
WHY, VIEW_NAME, SEARCH, REFERENCE = 300, 80, 200, 20
NAME, KEY_NAME, COMPANY = LINE, 100, 300
NOTICE = (200, 20_000)
FEED_NAME, FEED_MAPPING, CRM_KEY, URL = 100, 5000, 500, 2000
# What goes into an address stops here, as whole addresses do: far behind every limit above it, so that what a browser
# cuts is refused all the same.
IN_ADDRESS = 600


def plain_lines(text: str | None) -> str:
    """A text as it is counted and kept: nothing around it, and each line ended by one character."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").strip()
