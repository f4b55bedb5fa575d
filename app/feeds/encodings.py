"""Which of the encodings of one byte a letter a text is in, by whether its words are words in it."""

from __future__ import annotations

import re
from itertools import islice

# In doubt the first: Windows-1250 (for Romanian the same as ISO 8859-2 and 8859-16), which Excel writes here; Cyrillic
# of Windows, DOS and Unix; Latin of DOS and of a Mac.
OLD = ("cp1250", "cp1251", "cp852", "cp866", "koi8-r", "mac_romanian")
WORDS = 5000  # that are looked at
LONGEST = 60  # bytes of one
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")
_AROUND = "„”“’‘‚–—…«»€®™°·\xa0"  # what stands at a word in the text of an advertisement
_ROMANIAN = frozenset("ăâîșțşţ")
_BESIDE = frozenset("áéíóöőúüűäßè")  # of Hungarian and German names
_CYRILLIC = re.compile("[а-яёіїєґў]+|[А-ЯЁІЇЄҐЎ][а-яёіїєґў]+|[А-ЯЁІЇЄҐЎ]+")


def old_encoding(body: bytes) -> str:
    """The name that Python knows it by."""
    found = (word[0] for word in _WORD.finditer(body) if not word[0].isascii() and len(word[0]) <= LONGEST)
    words = list(islice(found, WORDS))
    return max(OLD, key=lambda encoding: sum(_is_word(word.decode(encoding, "replace")) for word in words))


def _is_word(text: str) -> bool:
    """Of one script, with capitals only at the beginning or throughout, and letters of our languages."""
    text = text.strip(_AROUND)
    if len(text) < 2 or text.isascii():
        return False
    if _CYRILLIC.fullmatch(text):
        return True
    small = text[1:].islower() or text.isupper() or len(text[1:]) == sum(map(str.islower, text[1:]))
    letters = {letter for letter in text.lower() if not letter.isascii()}
    return text.isalpha() and small and letters <= _ROMANIAN | _BESIDE
