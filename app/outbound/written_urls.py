"""Addresses as people type them, spelled as the HTTP client calls them."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

import idna
from flask_babel import lazy_gettext as _l

# Why an address is not called, by the word of `Refused`.
WHY = {
    "address": _l("The address leads into a private network, which is not called"),
    "port": _l("Only the ports 443 and 80 are called"),
    "scheme": _l("Write an address that begins with https://"),
    "credentials": _l("Write the address without a user name or password in it"),
    "letters": _l("There is a space in the address, or it is too long"),
    "host": _l("The name of the server in this address cannot be read"),
}


def as_called(url: str) -> str:
    """The same address in ASCII: its scheme in small letters, its host by IDNA 2008 (UTS 46), the rest escaped as
    browsers do (RFC 3987, 3.1). What cannot be spelled so stays as it is, and is refused by `check_url`."""
    try:
        parts = urlsplit(url)
        host = parts.netloc if parts.netloc.isascii() else _host(parts.netloc)
    except (ValueError, UnicodeError):
        return url
    rest = (part if part.isascii() else quote(part, safe=_KEPT) for part in parts[2:])
    return urlunsplit((parts.scheme, host, *rest)) if parts.scheme and host else url


def _host(netloc: str) -> str:
    name, colon, port = netloc.partition(":")
    return idna.encode(name, uts46=True).decode() + colon + port


_KEPT = "%/:@!$&'()*+,;=~-._?[] "
