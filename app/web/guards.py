"""Who may: every route declares its guard, rate limit and cache policy; rows are loaded through whoever asks.

`@policy(...)` stands directly under the route decorator. `enforce` runs before every request; a test walks the URL map
and fails on a route that says nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, wraps
from inspect import signature
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from flask import Response, current_app, g, redirect, request, url_for
from flask_login import current_user
from limits import RateLimitItem, parse_many
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.operators import is_operator
from app.accounts.sessions import is_proven
from app.core.access import Person
from app.core.errors import NotFound
from app.web.addresses import limited_by
from app.web.api_keys import let_in
from app.web.held_forms import page_of_form, typed
from app.web.rate_limits import hit, keyed

View = TypeVar("View", bound=Callable[..., Any])
LOOPBACK = frozenset({"127.0.0.1", "::1"})
HERE = frozenset({"localhost", "127.0.0.1", "::1"})  # what the Host field says on the machine itself
FORWARDED = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Prefix",
    "X-Real-IP",
)


class Guard(Enum):
    """Who may call a route."""

    PUBLIC = "anyone"
    LINK = "whoever holds the signed token in the path"
    BIDDER = "whoever the private link of a bidder's mail let in, by the cookie of that page"
    SELLER = "whoever a seller's link let in, by the cookie of that page"
    SIGNED_IN = "a signed-in person, within what is theirs"
    AGENT = "a signed-in person who may change and decide: no assistant"
    OWNER = "a signed-in owner"
    RUNS = "a signed-in person whom the command line marked as running the installation"
    API_KEY = "a CRM with a key of the agency"
    OPERATOR = "the operator's own machine, or whoever has its token"
    DEVELOPMENT = "a developer's machine; elsewhere it does not exist"


class Cache(Enum):
    """What may keep the answer."""

    NONE = "no-store"
    PRIVATE = "private, no-cache"
    SHORT = "public, max-age=300"
    FOREVER = "public, max-age=31536000, immutable"
    PRIVATE_FOREVER = "private, max-age=31536000, immutable"


class Loader(Protocol):
    """Loads what a route of its guard is about, by what its path names; raises or aborts where that is not theirs."""

    @property
    def guard(self) -> Guard: ...

    def row(self, **path: Any) -> Any: ...


PEOPLE = frozenset({Guard.SIGNED_IN, Guard.AGENT, Guard.OWNER, Guard.RUNS})
BY_TOKEN = frozenset({Guard.LINK, Guard.BIDDER, Guard.SELLER})


@dataclass(frozen=True, slots=True)
class Policy:
    guard: Guard
    cache: Cache
    reads: tuple[RateLimitItem, ...]
    writes: tuple[RateLimitItem, ...]
    scope: str
    records: str = ""
    keeps_answers: bool = False
    opens: Loader | None = None
    step_up: bool = False
    before_factor: bool = False

    def __post_init__(self) -> None:
        if (self.opens.guard if self.opens else None) is not (self.guard if self.guard in BY_TOKEN else None):
            raise TypeError(f"{self.scope}: what stands behind {self.guard} is opened by a loader of that guard")


@lru_cache
def rates(text: str) -> tuple[RateLimitItem, ...]:
    """`"30/minute; 300/hour"` as rates."""
    return tuple(parse_many(text))


def policy(
    guard: Guard,
    *,
    limit: str,
    writes: str | None = None,
    cache: Cache = Cache.NONE,
    scope: str = "",
    records: str = "",
    keeps_answers: bool = False,
    opens: Loader | None = None,
    step_up: bool = False,
    before_factor: bool = False,
) -> Callable[[View], View]:
    """Declare a route. `limit` counts its reads, `writes` the rest: per address, per person behind one of `PEOPLE`,
    or per key behind `Guard.API_KEY`, where `scope` is what it must be good for: `read` or `write`.

    A GET changes nothing; `records` names what one writes down nevertheless.
    With `keeps_answers` the browser may keep what a POST was answered with, for its Back button alone.
    `opens` loads what the route is about, which is the view's first argument; a guard that goes by a token needs one.
    With `step_up` what it does waits until the person has shown again who they are, where they did so more than five
    minutes ago: each write, or the reading of a route that has nothing else. `before_factor` lets in whoever still
    lacks the factor that their agency needs.
    """

    def declare(view: View) -> View:
        declared = Policy(
            guard, cache, rates(limit), rates(writes or limit), scope or view.__name__, records, keeps_answers, opens,
            step_up, before_factor,
        )  # fmt: skip
        guarded = _with_row(view) if opens else view
        guarded.__dict__["policy"] = declared
        return guarded

    return declare


def _with_row(view: View) -> View:
    """The row first, then what the view names of the path."""
    named = list(signature(view).parameters)[1:]

    @wraps(view)
    def guarded(**path: Any) -> Any:
        return view(g.opened, **{name: path[name] for name in named})

    return guarded  # type: ignore[return-value]  # as the route calls it; nobody else does


def current_policy() -> Policy | None:
    view = current_app.view_functions.get(request.endpoint or "")
    return getattr(view, "policy", None)


def enforce() -> AnyResponse | None:
    """Before every request: count it, then let in whom the route's guard names."""
    declared = current_policy()
    if declared is None:
        return None  # unknown path: the 404 is on its way
    reading = request.method in {"GET", "OPTIONS"}
    rates = declared.reads if reading else declared.writes
    if declared.guard is Guard.API_KEY:
        let_in(declared.scope, rates, caller_line())  # counted by key: many agencies call from one CRM's address
        return None
    hit(rates, declared.scope, _counted_as(declared.guard), shared=not reading)
    if declared.opens:
        g.opened = declared.opens.row(**(request.view_args or {}))
        return None
    answer = _GUARDS[declared.guard]()
    if answer is None and declared.guard in PEOPLE:
        return _first(declared, reading)
    return answer


def _first(declared: Policy, reading: bool) -> AnyResponse | None:
    """What a signed-in person has to do before: set up a factor, or show again who they are."""
    by = person()
    if by.agency.needs_factor and not by.user.has_factor and not declared.before_factor:
        return _elsewhere(url_for("settings.security"))
    acts = not reading or "POST" not in ((request.url_rule and request.url_rule.methods) or ())
    if declared.step_up and acts and not is_proven(by.session_id):
        return _away("accounts.confirm", "bidflux_step_up")
    return None


def _elsewhere(where: str) -> AnyResponse:
    return Response(status=200, headers={"HX-Redirect": where}) if _by_htmx() else redirect(where, 303)


def _counted_as(guard: Guard) -> str:
    """Whom a call is counted against: an office shares one address, and one colleague's calls are not another's."""
    if guard in PEOPLE and current_user.is_authenticated:
        return person().user.id.hex
    return keyed(caller_line())


def caller_address() -> str:
    """Whence the call came, as evidence; limits go by `caller_line`."""
    return request.remote_addr or "unknown"


def caller_line() -> str:
    """What limits know a caller by: an IPv4 address, or the /64 of an IPv6 one."""
    return limited_by(caller_address())


def _let_in() -> None:
    return None


def _signed_in() -> AnyResponse | None:
    return None if current_user.is_authenticated else to_sign_in()


def to_sign_in() -> AnyResponse:
    """To the sign-in page and back here afterwards; htmx is told to leave the page, not to swap a row."""
    return _away("accounts.login", "bidflux_sign_in")


def _away(endpoint: str, asks: str) -> AnyResponse:
    """To a page that asks for something first, and back here afterwards, with what was typed."""
    back = request.full_path.rstrip("?") if request.method == "GET" and not _by_htmx() else _current_page()
    if not _by_htmx() and request.method == "POST" and (kept := typed()) and (shown := page_of_form()):
        answer: AnyResponse = current_app.extensions[asks](shown, kept)
        return answer
    return _elsewhere(url_for(endpoint, next=back or None))


def _by_htmx() -> bool:
    return request.headers.get("HX-Request") == "true"


def _current_page() -> str:
    """The page that a form or htmx was on, as a path of ours."""
    current = request.headers.get("HX-Current-URL") or request.referrer or ""
    return current.removeprefix(request.host_url.rstrip("/")) if current.startswith(request.host_url) else ""


def _agent() -> AnyResponse | None:
    if (answer := _signed_in()) is not None:
        return answer
    if person().is_assistant:
        raise NotFound
    return None


def _owner() -> AnyResponse | None:
    if (answer := _signed_in()) is not None:
        return answer
    if not person().is_owner:
        raise NotFound
    return None


def _runs() -> AnyResponse | None:
    if (answer := _signed_in()) is not None:
        return answer
    if not is_operator(person().user.account_id):
        raise NotFound
    return None


def _on_this_machine() -> bool:
    """Whether the machine itself calls, through no proxy: one beside us has the same address."""
    forwarded = any(name in request.headers for name in FORWARDED)
    return request.remote_addr in LOOPBACK and not forwarded


def _operator() -> None:
    """Whoever has METRICS_TOKEN, where there is one; else only the machine itself."""
    if token := current_app.extensions["bidflux_settings"].metrics_token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()):
            raise NotFound
        return
    _from_here()


def _from_here() -> None:
    """Only under the one spelling of the path that a proxy's rule would name, and no name of the public site."""
    spelled = request.environ.get("REQUEST_URI") or request.environ.get("RAW_URI") or ""
    exact = request.url_rule is not None and spelled.partition("?")[0] == request.url_rule.rule == request.path
    host = urlsplit(f"//{request.host}").hostname
    if not (_on_this_machine() and exact and not request.script_root and host in HERE):
        raise NotFound


def _development() -> None:
    if current_app.extensions["bidflux_settings"].outbox_dir is None or not _on_this_machine():
        raise NotFound


_GUARDS: dict[Guard, Callable[[], AnyResponse | None]] = {
    Guard.PUBLIC: _let_in,
    Guard.SIGNED_IN: _signed_in,
    Guard.AGENT: _agent,
    Guard.OWNER: _owner,
    Guard.RUNS: _runs,
    Guard.OPERATOR: _operator,
    Guard.DEVELOPMENT: _development,
}


def person() -> Person:
    """Whoever this request is signed in as; only behind a guard that asks for it."""
    return current_user._get_current_object()  # type: ignore[no-any-return]  # documented proxy method
