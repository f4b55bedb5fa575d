"""Checking a receipt: by the file itself, in memory, or by what its QR code names."""

from __future__ import annotations

import re
from datetime import datetime

import structlog
from flask import Response, current_app, render_template, request
from flask_babel import gettext as _

from app.blueprints.site.routes import site
from app.core.limits import REFERENCE
from app.extensions import csrf
from app.proof.authority import Authority
from app.proof.checking import TOOL, Busy, NotValid, check
from app.proof.verifying import ALTERED, Finding, find
from app.web.guards import Cache, Guard, policy

RECEIPT_BYTES = 4 * 1024 * 1024
REFUSALS = {"not a receipt": "no_receipt", "not sealed by": "stranger"}  # of what the tool says; all else is altered
FINGERPRINT = re.compile("[0-9a-f]{64}")

log = structlog.get_logger(__name__)


@site.get("/verify")
@policy(Guard.PUBLIC, limit="60/minute", cache=Cache.NONE)
def verify() -> str | tuple[str, int]:
    """The page; with `offer` and `hash`, as the QR code has them, what the register says."""
    reference, fingerprint = (_printable(request.args.get(name, "")) for name in ("offer", "hash"))
    if not reference and not fingerprint:
        return _page()
    typed = {"reference": reference, "fingerprint": fingerprint}
    if not FINGERPRINT.fullmatch(fingerprint.lower()) or not 0 < len(reference) <= REFERENCE:
        return _page(
            unclear=_("The fingerprint has 64 letters and digits; the reference begins with BF-."), **typed
        ), 422
    return _page(finding=find(reference.upper(), fingerprint.lower()), **typed)


@site.post("/verify")
@csrf.exempt
@policy(Guard.PUBLIC, limit="20/minute", scope="verify-file")
def verify_file() -> str | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Check an uploaded receipt. It is held in memory and nothing of it is kept."""
    request.max_content_length = RECEIPT_BYTES
    upload = request.files.get("receipt")
    pdf = upload.read() if upload else b""
    if not pdf:
        return _page(problem=_("Choose the PDF to check.")), 422
    try:
        said = check(pdf, _authority().roots_pem())
        finding = find(said["reference"], said["fingerprint"])
        if not _is_ours(said["seal"], finding):
            check(pdf, _authority().own_roots_pem())
    except Busy:
        problem = _("Other receipts are being checked. Try again in a few seconds.")
        return _page(problem=problem), 503, {"Retry-After": "5"}
    except NotValid as fault:
        why = next((why for words, why in REFUSALS.items() if str(fault).startswith(words)), "altered")
        log.info("verify_refused", why=why)
        return _page(finding=Finding(ALTERED), why=why)
    return _page(said=said, sealed_at=datetime.fromisoformat(said["sealed"]), finding=finding)


def _is_ours(seal: str, finding: Finding) -> bool:
    """Whether this installation holds or held the key of that certificate. The authority of `SEAL_FILE` vouches for
    others too; what our own root vouches for is ours in any case."""
    return seal in {_authority().seal().fingerprint, *(held.certificate for held in finding.seals)}


@site.get("/verify/root.pem")
@policy(Guard.PUBLIC, limit="60/minute", cache=Cache.SHORT)
def root_certificate() -> Response:
    """The public certificate that seals lead up to; the present one first, then those before it."""
    return Response(_authority().roots_pem(), mimetype="application/x-pem-file")


@site.get("/verify/verify_receipt.py")
@policy(Guard.PUBLIC, limit="60/minute", cache=Cache.SHORT)
def verify_tool() -> Response:
    """The tool that checks receipts without us."""
    return Response(TOOL.read_bytes(), content_type="text/x-python; charset=utf-8")


def _authority() -> Authority:
    found: Authority = current_app.extensions["bidflux_authority"]
    return found


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).strip()


def _page(**context: object) -> str:
    context = {
        "said": None,
        "finding": None,
        "why": "",
        "problem": "",
        "unclear": "",
        "reference": "",
        "fingerprint": "",
        **context,
    }
    return render_template("site/verify.html", **context)
