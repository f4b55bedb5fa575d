"""Signing in by the OpenID Connect issuer of this installation (authlib): code flow with PKCE, state and nonce."""

from __future__ import annotations

from typing import Any

import structlog
from flask import current_app, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import issuer
from app.blueprints.accounts.routes import accounts, ask_factor, enter, sign_in_form
from app.core.errors import Invalid, NotFound
from app.core.urls import base_url
from app.web.fragments import local_path
from app.web.guards import Guard, policy

log = structlog.get_logger(__name__)
SECONDS = 5.0  # for which the issuer is waited for
# Keys that only the issuer holds; never a secret that the client shares, never "none".
SIGNED_BY = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})


def _client() -> Any:
    """The client of the issuer, made once; raises `NotFound` where there is none."""
    settings = current_app.extensions["bidflux_settings"]
    if settings.oidc is None:
        raise NotFound
    made = current_app.extensions.get("bidflux_issuer")
    if made is None:
        from authlib.integrations.flask_client import OAuth  # type: ignore[import-untyped]  # authlib has no types

        made = OAuth(current_app._get_current_object()).register(  # type: ignore[attr-defined]  # documented proxy method
            "issuer",
            server_metadata_url=f"{settings.oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_id=settings.oidc.client_id,
            client_secret=settings.oidc.client_secret,
            client_kwargs={"scope": "openid email", "code_challenge_method": "S256", "default_timeout": SECONDS},
        )
        current_app.extensions["bidflux_issuer"] = made
    return made


def _ready() -> Any:
    """The client, once the issuer has told about itself, and told its own name (OpenID Connect Discovery, 4.3)."""
    client = _client()
    told = client.load_server_metadata()
    if told.get("issuer") != current_app.extensions["bidflux_settings"].oidc.issuer:
        client.server_metadata.clear()
        raise ValueError("another issuer")
    named = told.get("id_token_signing_alg_values_supported") or ["RS256"]
    told["id_token_signing_alg_values_supported"] = sorted(SIGNED_BY.intersection(named))
    return client


@accounts.get("/login/issuer")
@policy(Guard.PUBLIC, limit="60/minute", scope="issuer")
def issuer_login() -> AnyResponse:
    """To the issuer; state, nonce and the proof key stand in the signed cookie."""
    from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # authlib has no types
    from requests import RequestException

    onward = local_path(request.args.get("next"))
    _forget_earlier()
    try:
        sent: AnyResponse = _ready().authorize_redirect(f"{base_url()}{url_for('accounts.issuer_back')}")
    except (AuthlibBaseError, RequestException, ValueError, RuntimeError) as error:
        log.warning("issuer_away", error=type(error).__name__)
        return _refused(
            _("Your organisation's sign-in does not answer. Administrators can sign in with their password.")
        )
    if onward:
        session["onward"] = onward
    return sent


def _forget_earlier() -> None:
    """All but the latest beginning: authlib keeps each in the cookie, until browsers keep the cookie no more."""
    begun = [name for name in session if name.startswith("_state_issuer_")]
    for name in sorted(begun, key=lambda name: session[name]["exp"])[:-1]:
        del session[name]


@accounts.get("/login/issuer/back")
@policy(Guard.PUBLIC, limit="60/minute", scope="issuer-back", records="who was sent back by the issuer is signed in")
def issuer_back() -> AnyResponse:
    """From the issuer, with a code that is exchanged for its word."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    try:
        token = _ready().authorize_access_token()
        user = issuer.person_of(token.get("userinfo") or {})
    except Invalid as invalid:
        return _refused(str(invalid.errors["issuer"][0]))
    except (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError, TypeError, RuntimeError) as error:
        log.warning("issuer_refused", error=type(error).__name__)
        return _refused(_("Your organisation's sign-in could not be completed. Try again."))
    onward = local_path(session.pop("onward", None))
    return ask_factor(user, onward, []) if user.has_factor else enter(user, onward, [])


def _refused(message: str) -> AnyResponse:
    return sign_in_form(None, message=message, status=422)
