"""Timestamps from an authority (RFC 3161), through the one HTTP client."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from asn1crypto import cms, tsp
from asn1crypto.parser import parse

from app.outbound.addresses import Network, Refused
from app.outbound.der import is_small
from app.outbound.http_client import HttpClient, Unreachable

TOKEN_BYTES = 64 * 1024
DEADLINE = 15.0


class NoTimestamp(Exception):
    """There is none. `code`: refused, name, connect, tls, timeout, broken, http_503, declined or invalid."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def timestamp(url: str, content: bytes, allow: Sequence[Network] = ()) -> bytes:
    """The token (DER of a CMS ContentInfo) over the SHA-256 of `content`. Raises `NoTimestamp`.

    What comes back must be soundly signed and speak of these very bytes; whether its authority is to be trusted is for
    whoever reads it.
    """
    from pyhanko.sign.timestamps import TimeStamper, TimestampRequestError

    http = HttpClient(allow, [urlsplit(url).port or 443])  # the operator's own address names its port

    class Through(TimeStamper):
        async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
            headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
            answer = http.call("POST", url, headers=headers, body=req.dump(), deadline=DEADLINE, keep=TOKEN_BYTES)
            if answer.status != 200:
                raise NoTimestamp(f"http_{answer.status}")
            if not is_small(answer.body):
                raise NoTimestamp("invalid")
            # Read by itself: asn1crypto cannot read an answer without a token, which is what a refusal is.
            if tsp.PKIStatusInfo.load(parse(answer.body, strict=True)[4])["status"].native != "granted":
                raise NoTimestamp("declined")
            return tsp.TimeStampResp.load(answer.body, strict=True)

    try:
        digest = hashlib.sha256(content).digest()
        token = asyncio.run(Through().async_timestamp(digest, "sha256"))  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
        if not _sound(token, digest):
            raise NoTimestamp("invalid")
        return bytes(token.dump())
    except Refused:
        raise NoTimestamp("refused") from None
    except Unreachable as away:
        raise NoTimestamp(away.code) from None
    except TimestampRequestError:
        raise NoTimestamp("declined") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NoTimestamp("invalid") from None
    finally:
        http.close()


def _sound(token: cms.ContentInfo, digest: bytes) -> bool:
    """Signed by the certificate it names, over this digest."""
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
    from pyhanko_certvalidator import ValidationContext

    context = ValidationContext(trust_roots=[], allow_fetching=False)
    try:
        checked = asyncio.run(validate_tst_signed_data(token["content"], context, lambda _algorithm: digest))
    except SignatureValidationError:
        return False
    return bool(checked["intact"] and checked["valid"])
