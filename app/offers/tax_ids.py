"""Tax ids of companies as people write them: a Romanian CUI, or a number of another country with its letters."""

from __future__ import annotations

import re
import unicodedata

from app.core.limits import NUMBER

# What these numbers are called where they come from. A word among them is no part of the number.
_LABELS = (
    r"C\.? ?U\.? ?I\.?", r"C\.? ?I\.? ?F\.?", r"C\.? ?F\.?(?= )",
    "COD(?:UL)?(?: UNIC DE [IÎ]NREGISTRARE| FISCAL| TVA)?",
    "(?:NR|NUM[AĂ]R)\\.?", "VAT", "TVA", "TAX", "ID", r"NO\.?", "NUMBER", "REG(?:ISTRATION)?", "CNP", "TIN", "EIN",
    "IDNO", "NIF", "CIF", "NIE", "NIP", "EIK", "ЕИК", "GSTIN", "GST", r"P\.? ?IVA", "PARTITA IVA", "IVA", "UID",
    r"UST\.?[ -]?ID(?:[ .-]?NR)?\.?", r"STEUERNUMMER", r"ST\.?-?NR\.?", r"MWST(?:[ .-]?NR)?\.?", "SIREN", "SIRET",
    "BTW", "KVK", "UTR", "PAN", "PIB", r"ADÓSZÁM",
)  # fmt: skip
_LABEL = re.compile(rf"(?:(?:{'|'.join(_LABELS)})(?![A-Z])[ :./\-]*)+(?=[A-Z0-9])")
_BEHIND = re.compile(r"(?<=[0-9])[ .\-]*(?:MWST|TVA|IVA|VAT)$")
_REGISTER = re.compile(r"J ?\d{1,2} ?[/-]|\b[JFC]\d{1,2} ?[/-] ?\d+ ?[/-] ?\d{4}|\bJ ?\d{13}$", re.ASCII)
# A country or the kind of company, rarely both (`ESB`, `ATU`, `CHE`), or what a French number begins with.
_ID = re.compile(r"(?:[A-Z]{0,3}|FR[A-Z]{2}|GB(?:GD|HA))(?=[0-9])[0-9A-Z]{2,17}", re.ASCII)
_DASHES = dict.fromkeys(range(0x2010, 0x2016), "-") | {0x2212: "-"}


class NotATaxId(ValueError):
    """The text is none. `register`: it is a number of the trade register instead, which begins with J."""

    def __init__(self, text: str, *, register: bool = False) -> None:
        self.register = register
        super().__init__(text)


def read_tax_id(text: str) -> str:
    """Letters and digits alone; `CUI: 12345678` and `DE 123.456.789` lose what stands around. Raises `NotATaxId`."""
    if len(text) > NUMBER:
        raise NotATaxId(text)
    spelled = " ".join(unicodedata.normalize("NFKC", text).upper().translate(_DASHES).split()).strip("()[] ;,:")
    bare = re.sub(r"[ .\-/;,]", "", _BEHIND.sub("", _without_labels(spelled)))
    if _REGISTER.search(spelled):
        raise NotATaxId(text, register=True)
    if not _ID.fullmatch(bare) or not any(letter.isdigit() for letter in bare):
        raise NotATaxId(text)
    return bare


def _without_labels(spelled: str) -> str:
    """What follows the words that a number is introduced with."""
    found = _LABEL.match(spelled)
    return spelled[found.end() :] if found else spelled
