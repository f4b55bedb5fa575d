"""Names that the operator writes down, before anything that would fail in its own way is asked of them."""

from __future__ import annotations


def is_plain(text: str) -> bool:
    """Whether it is text, as what comes after expects: on one line, and no bytes that UTF-8 does not have."""
    return not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text)


def is_host(name: str) -> bool:
    """Whether it could be looked up; the lookup itself fails in ways of its own over what could not."""
    try:
        return bool(name.encode("idna")) and not any(c in name for c in ' /@?#<>"')
    except UnicodeError:
        return False
