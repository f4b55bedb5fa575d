"""E-mail addresses and telephone numbers as people type them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import idna
import phonenumbers
from email_validator import EmailNotValidError, validate_email

from app.core.limits import PHONE

# Domains people mean, and what they type instead. Asked about, never corrected behind their back.
MISTYPED = {
    "gmial.com": "gmail.com",
    "gmai.com": "gmail.com",
    "gmal.com": "gmail.com",
    "gamil.com": "gmail.com",
    "gmail.co": "gmail.com",
    "gmail.con": "gmail.com",
    "gmail.ro": "gmail.com",
    "gnail.com": "gmail.com",
    "gmaill.com": "gmail.com",
    "gmaii.com": "gmail.com",
    "gmil.com": "gmail.com",
    "gmail.cm": "gmail.com",
    "gmail.om": "gmail.com",
    "gmail.comm": "gmail.com",
    "yaho.com": "yahoo.com",
    "yahooo.com": "yahoo.com",
    "yahoo.co": "yahoo.com",
    "yahoo.con": "yahoo.com",
    "yahoo.cm": "yahoo.com",
    "yhaoo.com": "yahoo.com",
    "yahho.com": "yahoo.com",
    "hotmial.com": "hotmail.com",
    "hotmai.com": "hotmail.com",
    "hotmal.com": "hotmail.com",
    "outlok.com": "outlook.com",
    "outloo.com": "outlook.com",
    "iclod.com": "icloud.com",
    "icloud.con": "icloud.com",
}


# Letters beyond ASCII that look like one of its letters, or are one with a stroke: no mailbox is meant by them.
LOOKALIKES = str.maketrans(
    {
        **dict(zip("аеорсухіјѕԁһӏԛԝкмтАВЕКМНОРСТУХІЈЅ", "aeopcyxijsdhlqwkmtABEKMHOPCTYXIJS", strict=True)),  # Cyrillic
        **dict(zip("οανρτυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oavptuikABEZHIKMNOPTYX", strict=True)),  # Greek
        **dict(zip("łŁđĐøØðıħŧ", "lLdDoOdiht", strict=True)),
        **dict(zip("ɡɑɩɪʟɴʀʏƅƖ", "gaiilnryll", strict=True)),  # of phonetic and African alphabets
        **{"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"},
    }
)


MOLDOVA = "373"
_AT = {ord("＠"): "@", ord("﹫"): "@"}
# A second number behind the first, with what stands between them.
_SWITCHBOARD = r"[ ,;]*(?:interior(?:ul)?|int|ext(?:ensi[ae]|ension)?|in|x|w|p|#)[ .:#]*"
_WITH_ANOTHER = re.compile(rf"(?P<number>.*[0-9)])(?:{_SWITCHBOARD}| *[-/] *)[0-9]{{1,5}}", re.ASCII | re.IGNORECASE)
_LETTERS_WITHIN = re.compile(r"\d[\W_]*[^\W\d_]\D*\d")


class NotAContact(ValueError):
    """The text is no address, or no number. `extension`: a number behind a switchboard, which cannot be kept."""

    def __init__(self, text: str, *, extension: bool = False) -> None:
        self.extension = extension
        super().__init__(text)


def folded(address: str) -> str:
    """By which addresses are one: without case, and no further. `casefold` would make one of straße.de and strasse.de,
    which are two people's domains (IDNA 2008)."""
    return address.lower()


@dataclass(frozen=True, slots=True)
class Email:
    address: str
    suggestion: str | None

    @property
    def folded(self) -> str:
        return folded(self.address)


@dataclass(frozen=True, slots=True)
class Phone:
    """E.164 (ITU-T); `doubtful` when no numbering plan knows the number, `suggestion` the one of Moldova that it is."""

    e164: str
    doubtful: bool
    suggestion: str | None = None


def _short(text: str, most: int) -> str:
    """What the libraries may see: their patterns take long over what is long. Raises `NotAContact`."""
    if len(text := text.strip()) > most:
        raise NotAContact("too long")
    return text


def read_email(text: str) -> Email:
    """A syntactically valid address (RFC 5322 and 6531, no DNS), also as `Ana <ana@example.com>`, `mailto:ana@…` or
    with what was pasted behind it; raise `NotAContact`."""
    try:
        parsed = validate_email(_bare(_short(text, 400)), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise NotAContact(text) from None
    local, _, domain = _plain(parsed.normalized).rpartition("@")
    meant = f"{local}@{MISTYPED.get(domain.lower(), domain)}"
    return Email(parsed.normalized, meant if meant.isascii() and meant != parsed.normalized else None)


def _bare(text: str) -> str:
    """The address in a line of a letter or a link; of two different ones neither is meant."""
    text = text.translate(_AT).rstrip(" \t;,.")
    if text.endswith(">") and text.count("<") == 1:
        name, _, inner = text[:-1].partition("<")
        if "@" in name and _address(name).casefold() != _address(inner).casefold():
            raise NotAContact(text)
        text = inner
    return _address(text)


def _address(text: str) -> str:
    text = text.strip(" \t<>()[]\"'„”“«»:")
    if text[:7].casefold() == "mailto:":
        text = text[7:].partition("?")[0]
    return text.strip(" \t<>()[]\"'„”“«»").rstrip(";,.")


def read_staff_email(text: str) -> str:
    """An address that every mail server takes, in lower case; raise `NotAContact`. Offers are announced there."""
    address = read_email(text).address.lower()
    if not address.rpartition("@")[0].isascii():
        raise NotAContact(text)
    return address


def _plain(address: str) -> str:
    """The same address in ASCII, as far as its letters have a plain spelling."""
    apart = unicodedata.normalize("NFKD", address.translate(LOOKALIKES))
    return "".join(letter for letter in apart if not unicodedata.combining(letter)).translate(LOOKALIKES)


def read_phone(text: str, region: str = "RO") -> Phone:
    """`07…`, `+40…`, `0040…` and foreign numbers; raise `NotAContact` for what cannot be dialled at all."""
    number = _parsed(_short(text, PHONE), region)
    across = _across(text) if number is None or not phonenumbers.is_valid_number(number) else None
    if across and (number is None or not phonenumbers.is_possible_number(number)):
        return Phone(across, not text.strip().startswith(MOLDOVA))
    if number is not None and number.extension:
        raise NotAContact(text, extension=True)
    if number is None or not phonenumbers.is_possible_number(number):
        behind = _WITH_ANOTHER.fullmatch(text.strip())
        main = _parsed(behind["number"], region) if behind else None
        raise NotAContact(text, extension=main is not None and phonenumbers.is_valid_number(main))
    if not _is_all_digits(text, number):
        raise NotAContact(text)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164, not phonenumbers.is_valid_number(number), across)


def _across(text: str) -> str | None:
    """The number as one of Moldova, where it is one: many who buy here dial it as they do at home."""
    number = _parsed(text, "MD")
    if number is None or number.country_code != int(MOLDOVA) or number.extension:
        return None
    if not phonenumbers.is_valid_number(number) or not _is_all_digits(text, number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_all_digits(text: str, number: phonenumbers.PhoneNumber) -> bool:
    """Whether letters have no part in a number. The library would dial them; an `O` is rather a zero than a six."""
    digits = "".join(str(unicodedata.digit(letter)) for letter in text if letter.isdigit())
    return not _LETTERS_WITHIN.search(text) and digits.endswith(str(number.national_number))


def _parsed(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None


def show_phone(e164: str) -> str:
    """For reading: `+40 712 034 567`."""
    try:
        number = phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return e164
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


# Where dots before the @ say nothing, under whichever of their names.
DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


def mailbox_of(email: str) -> str:
    """What mail servers read an address as: `ana+oferte@x.ro` is `ana@x.ro`, and at Gmail `a.na` is `ana`. Its domain
    is the one that mail is sent to (IDNA 2008): straße.de and strasse.de are two."""
    local, _, domain = folded(email).rpartition("@")
    try:
        domain = idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        pass  # as it is written, then
    local = local.partition("+")[0]
    if domain in DOTLESS:
        local, domain = local.replace(".", ""), DOTLESS[domain]
    return f"{local}@{domain}"
