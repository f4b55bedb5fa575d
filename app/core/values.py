"""The kinds of values that properties and offers are made of, as the API, the feeds and the forms take them."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from app.core import limits
from app.core.language import LANGUAGES
from app.core.numbers import LARGEST, NotANumber, whole

RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
# Never text: controls, what separates lines outside ASCII, what turns a text around (UAX 9), the byte order mark.
TURNING = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BEYOND = rf"\u007f-\u009f\u2028\u2029{TURNING}\ufeff"
UNSEEN = rf"^[^\u0000-\u0008\u000b-\u001f{_BEYOND}]*$"
ONE_LINE = rf"^[^\u0000-\u001f{_BEYOND}]*$"
CONTROL = re.compile(rf"[\u0000-\u0008\u000b-\u001f{_BEYOND}]")  # what forms drop, where the API refuses
# What nobody sees and no field means, where a person typed or pasted: soft hyphens, spaces without width, fillers. The
# joiners shape words of Persian and India and parts of emoji; between other letters they are nothing.
HIDDEN = re.compile(
    r"[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u206f\u3164\ufff9-\ufffb\U000e0000-\U000e0fff]"
    r"|(?<![^\u0000-\u02ff])[\u200c\u200d]|[\u200c\u200d](?![^\u0000-\u02ff])"
)
_NOTHING = r"\s\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u206f\u3164\ufff9-\ufffb"
SEEN = ONE_LINE.replace("^", rf"^(?=.*[^{_NOTHING}])", 1)
# An id of somebody else's that stands in our paths: slashes and dots that are folded there would name another.
UNFOLDED = r"(?!/)(?!.*//)(?!.*/$)(?!(.*/)?\.\.?(/|$))"
NAMED = ONE_LINE.replace("^", rf"^(?!\s){UNFOLDED}", 1)
NAMED = NAMED[:-1] + r"(?<!\s)$"
LIMIT = r"^[0-9]{1,11}(\.[0-9]{1,2})?$"
AMOUNT = r"^(?!0+(\.0{1,2})?$)[0-9]{1,11}(\.[0-9]{1,2})?$"
PERCENT = r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)$"
COUNTRY = r"^[A-Z]{2}$"
WEB = r"^[hH][tT][tT][pP][sS]?://[^\s\u0000-\u0020\u007f-\u009f]+$"


def is_text(text: str) -> bool:
    """Whether it could be written down anywhere: no control characters, and no half of a surrogate pair."""
    return not CONTROL.search(text) and not any("\ud800" <= c <= "\udfff" for c in text)


def made_text(text: str) -> str:
    """What was sent, as something that can be stored; what cannot is dropped."""
    return CONTROL.sub("", text.encode("utf-8", "ignore").decode())


def typed_text(text: str) -> str:
    """The same of what a person typed: without marks that nobody sees."""
    return HIDDEN.sub("", made_text(text))


class TextPattern:
    """Text that matches a pattern from its first to its last character; who sent something else reads what would.

    Pydantic's own patterns let a newline stand at the end.
    """

    def __init__(self, pattern: str, said: str) -> None:
        self.pattern, self.said = pattern, said
        self._matches = re.compile(pattern).fullmatch

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}

    def _check(self, text: str) -> str:
        if not self._matches(text):
            raise ValueError(self.said)
        return text


Clean = TextPattern(UNSEEN, "Must not hold control or invisible characters")
OneLine = TextPattern(ONE_LINE, "Must be one line, without control or invisible characters")
Seen = TextPattern(SEEN, "Must be one line of text, and not blank")
Named = TextPattern(
    NAMED,
    "Must be one line that neither begins nor ends with a space or slash, without two slashes in a row or a part"
    " between slashes that is only . or ..",
)


class Strict(BaseModel):
    """A JSON object of the API: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, regex_engine="python-re", protected_namespaces=())


def _moment(value: Any) -> Any:
    """RFC 3339 with its offset, as an aware moment in UTC."""
    if isinstance(value, str):
        if not RFC3339.fullmatch(value):
            raise ValueError("must be a time such as 2026-12-31T18:00:00Z (RFC 3339, with its offset)")
        try:
            return datetime.fromisoformat(value.upper().replace("Z", "+00:00")).astimezone(UTC)
        except OverflowError:
            raise ValueError("is too far away") from None
        except ValueError:
            raise ValueError("must be a day, an hour and an offset that there are (60 is no second here)") from None
    return value


def _day(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise ValueError("must be a date such as 2026-12-31")
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day that there is") from None
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return whole(value, -LARGEST)
        except NotANumber:
            raise ValueError("must be a whole number") from None
    return value


def _flag(value: Any) -> Any:
    if isinstance(value, str):
        if value not in {"true", "false"}:
            raise ValueError("must be true or false")
        return value == "true"
    return value


def _id(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value, re.ASCII):
            raise ValueError("must be an id such as 0192f0c1-7c1e-7d2a-9b7e-3f1a2b3c4d5e")
        return uuid.UUID(value)
    return value


Moment = Annotated[datetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Uid = Annotated[uuid.UUID, BeforeValidator(_id)]
WHOLE = BeforeValidator(_number)  # behind the limits, so that they are described
Flag = Annotated[bool, BeforeValidator(_flag)]
Amount = Annotated[
    str,
    Field(description="A decimal string, exact: `125000` or `125000.50`."),
    TextPattern(AMOUNT, "Must be a decimal string above zero, such as 125000 or 125000.50"),
]
AmountLimit = Annotated[
    str,
    Field(description="A decimal string, exact: `0`, `125000` or `125000.50`."),
    TextPattern(LIMIT, "Must be a decimal string, such as 0, 125000 or 125000.50"),
]
Currency = Literal["EUR", "RON"]
if TYPE_CHECKING:  # it reads no list that is made elsewhere
    Spoken = str
else:
    Spoken = Literal[tuple(LANGUAGES)]
Email = Annotated[str, Field(min_length=3, max_length=limits.EMAIL), OneLine]
Phone = Annotated[str, Field(min_length=3, max_length=limits.PHONE), OneLine]
ExternalId = Annotated[
    str, Field(min_length=1, max_length=100, description="The CRM's own id, unique in the agency."), Named
]
Link = Annotated[
    str, Field(max_length=500), TextPattern(WEB, "Must begin with https:// or http://, and hold no spaces")
]
# What is shown, and when it is sent back, ignored.
ReadOnly = Annotated[
    Any, WithJsonSchema({"readOnly": True, "description": "Ours to say: ignored when it is sent back."})
]


# Text on one line, by how much of it there may be; the second number is the least.
Line20x1 = Annotated[str, Field(min_length=1, max_length=20), OneLine]
Line120 = Annotated[str, Field(max_length=120), OneLine]
Line200 = Annotated[str, Field(max_length=200), OneLine]
Line200x1 = Annotated[str, Field(min_length=1, max_length=200), Seen]
Line254x1 = Annotated[str, Field(min_length=1, max_length=254), OneLine]
Line300 = Annotated[str, Field(max_length=300), OneLine]
# Text over several lines.
Text4000 = Annotated[str, Field(max_length=4000), Clean]
Text20000 = Annotated[str, Field(max_length=20_000), Clean]
