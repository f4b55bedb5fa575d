"""Header fields as they go over the wire: folded, encoded and quoted by RFC 5322 and RFC 2047.

The standard library's `Header` folds right, and its modern policy does not: on Python 3.11 that loses the space between
two encoded words, leaves the first line of `To` empty, and puts an encoded word on a line of over 76 characters.
"""

from __future__ import annotations

import re
from email import policy
from email.header import Header
from email.utils import quote

LINE = 76  # of a line that holds an encoded word (RFC 2047, section 2); others may be longer
FOLD = "\r\n "
# Fields are folded here; the generator must not fold them again.
WIRE = policy.compat32.clone(linesep="\r\n", mangle_from_=False, max_line_length=0)

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_LIKE_ENCODED = "=?"  # a reader would try to decode it


def text(name: str, value: str) -> str:
    """The body of an unstructured field such as `Subject`; `value` is one line."""
    if value.isascii() and len(name) + 2 + len(value) <= LINE and _LIKE_ENCODED not in value:
        return value
    return _encoded(name, value)


def mailbox(field: str, address: str, name: str = "") -> str:
    """`"Name" <address>` for the field of that name; `address` as it stands on the wire, `name` one line."""
    if not name:
        return address
    phrase = _phrase(field, name)
    last = phrase.rpartition("\r\n")[2]
    used = len(last) + (len(field) + 2 if last is phrase else 0)
    return f"{phrase}{' ' if used + len(address) + 3 <= LINE else FOLD}<{address}>"


def _phrase(field: str, name: str) -> str:
    """An atom, a quoted string or encoded words (RFC 5322, section 3.2.5; RFC 2047, section 5)."""
    if not name.isascii() or _LIKE_ENCODED in name or len(field) + len(name) > LINE - 6:
        return _encoded(field, name)
    return name if _ATOMS.fullmatch(name) else f'"{quote(name)}"'


def _encoded(field: str, value: str) -> str:
    return Header(value, "utf-8", maxlinelen=LINE - 1, header_name=field).encode(linesep="\r\n")
