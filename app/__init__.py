"""BidFlux: offers for real estate, collected by signed links and worked through in one dashboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from app import models  # noqa: F401  the tables must be known before the engine is
from app.accounts import mails as account_mails
from app.accounts.signed_in import find_session
from app.blueprints import register_blueprints
from app.cli import register_commands
from app.config import ConfigurationError, Settings, load_settings
from app.core.database import configure_engine
from app.core.epochs import Witness
from app.core.faults import configure_faults
from app.core.formats import register_presentation
from app.core.group_commit import GroupCommit
from app.core.language import Catalogs, LanguagePrefix, choose_language
from app.core.logs import configure_logs, request_id
from app.core.templates import Templates
from app.core.vault import Keyring
from app.core.wake import Waker
from app.delivery.registry import Registry
from app.extensions import babel, csrf, db, login_manager, mail, migrate
from app.feeds import mails as feed_mails
from app.offers import mails as offer_mails
from app.offers.list.names import NameCache
from app.ops.proxies import register_lookout
from app.privacy import mails as privacy_mails
from app.proof import receipts
from app.proof.authority import Authority
from app.proof.heads import Heads
from app.properties import mails as property_mails
from app.web.counting import register_counting
from app.web.errors.pages import register_errors
from app.web.guards import enforce
from app.web.headers import register_headers
from app.web.held_forms import register_held_forms
from app.web.last_seen import register_seen
from app.web.paths import path_to
from app.web.rate_limits import Counter
from app.web.request import Request
from app.webhooks import mails as webhook_mails

TEXT_BYTES = 2 * 1024 * 1024


class Application(Flask):
    """Flask, for views of which none is a coroutine: it would ask each of them and each hook at every request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """The application, from settings or from the environment; raises `ConfigurationError` naming every fault."""
    settings = settings or load_settings()
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError([f"BIDFLUX_DATA: {error.filename}: {error.strerror}"]) from None
    configure_faults(settings)
    app = Application(__name__)
    app.request_class = Request
    app.jinja_environment = Templates
    app.config.from_mapping(settings.flask())
    app.url_map.merge_slashes = False  # `//` is no spelling of ours: such a redirect would name the caller's Host
    app.jinja_env.globals["url_for"] = path_to
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.extensions.update(
        bidflux_settings=settings,
        bidflux_keyring=Keyring(settings.keys),
        bidflux_authority=Authority(settings),
        bidflux_signed_heads=Heads(settings.data_dir),
        bidflux_agency_keys={},
        bidflux_known_texts=set(),
        bidflux_names=NameCache(),
        bidflux_witness=Witness(settings.data_dir),
        bidflux_group=GroupCommit(),
        bidflux_waker=Waker(settings.redis_url),
        bidflux_counter=Counter(settings.redis_url),
        bidflux_registry=_registry(Path(app.root_path) / "templates" / "emails"),
    )
    app.before_request(_begin)
    register_lookout(app)
    register_held_forms(app)  # before the form's token is looked at: it may be as old as the page
    _extensions(app)
    configure_logs(app, level=settings.log_level)
    app.before_request(enforce)
    register_presentation(app)
    register_errors(app)
    register_seen(app)
    register_headers(app)
    register_counting(app)
    register_blueprints(app)
    register_commands(app)
    # Middleware as Flask documents it; its types take `wsgi_app` for a method that nobody assigns.
    app.wsgi_app = LanguagePrefix(app.wsgi_app)  # type: ignore[method-assign]  # as Flask documents it
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]  # as Flask documents it
    return app


def _registry(emails: Path) -> Registry:
    """What each noun brings to deliveries; raises `ConfigurationError` where mails and their texts do not match."""
    registry = Registry(receipts.to_registry(), webhook_mails.endpoints())
    for noun in (offer_mails, account_mails, property_mails, privacy_mails, feed_mails, webhook_mails):
        noun.register(registry)
    registry.check(emails)
    return registry


def _extensions(app: Flask) -> None:
    db.init_app(app)
    configure_engine(app)
    migrate.init_app(app, db, compare_type=True)
    babel.init_app(app, locale_selector=choose_language)
    babel.domain_instance = words = Catalogs()
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # asked of the catalogs without a detour
        gettext=lambda text: words.get_translations().ugettext(text),
        ngettext=lambda one, many, n: words.get_translations().ungettext(one, many, n),
        newstyle=True,
    )
    csrf.init_app(app)
    login_manager.init_app(app)
    login_manager.user_loader(find_session)
    mail.init_app(app)


def _begin() -> None:
    if request.mimetype != "multipart/form-data":
        request.max_content_length = TEXT_BYTES  # only forms with pictures may be as large as Flask's own limit
    g.began = time.perf_counter()
    request_id()
