"""Tax ids of companies as people write them: a Romanian CUI, or a number of another country with its letters."""

from __future__ import annotations

import re

LONGEST = 60
_LABEL = re.compile(
    r"^(?:C\.? ?U\.? ?I\.?|C\.? ?I\.? ?F\.?|COD FISCAL|VAT(?: ID| NO\.?)?|TVA|TAX ID)[ :.\-]*", re.ASCII
)
_REGISTER = re.compile(r"J ?\d{1,2} ?/", re.ASCII)
_ID = re.compile(r"[A-Z]{0,3}[0-9A-Z]{2,17}", re.ASCII)


class NotATaxId(ValueError):
    """The text is none. `register`: it is a number of the trade register, which begins with J."""

    def __init__(self, text: str, *, register: bool = False) -> None:
        self.register = register
        super().__init__(text)


def read_tax_id(text: str) -> str:
    """Letters and digits alone; `CUI: 12345678` and `DE 123.456.789` lose what stands around. Raises `NotATaxId`."""
    if len(text) > LONGEST:
        raise NotATaxId(text)
    said = " ".join(text.upper().split())
    bare = re.sub(r"[ .\-/;,]", "", _LABEL.sub("", said))
    if _REGISTER.search(said):
        raise NotATaxId(text, register=True)
    if not _ID.fullmatch(bare) or not any(letter.isdigit() for letter in bare):
        raise NotATaxId(text)
    return bare
