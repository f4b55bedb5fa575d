"""The settings, read from the environment and checked once, at the start. Every fault is named in one message."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import click
from redis import ConnectionPool, RedisError
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.hosts import is_host, is_plain
from app.core.language import DEFAULT
from app.core.numbers import NotANumber, whole
from app.core.secret_files import from_files, without_doubles

KEY_BYTES = 32
MIN_SECRET_LENGTH = 32
LEVELS = ("debug", "info", "warning", "error")
SUBMISSIONS = 465  # TLS from the start (RFC 8314, section 3.3)
GUESSABLE = frozenset({"change-me", "changeme", "secret", "password", "dev", "development", "default"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What begins a transaction stands in `app.core.postgresql`; the connection that came back last knows the statements.
POSTGRESQL: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "pool_use_lifo": True}


class ConfigurationError(click.ClickException):
    """Says everything that is wrong with the environment, one line a fault; on the command line nothing else."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("BidFlux cannot start:\n" + "\n".join(f"  - {fault}" for fault in dict.fromkeys(faults)))


class OpenIdIssuer(NamedTuple):
    """Who else may say who somebody is (OpenID Connect), and as which client it knows us."""

    issuer: str
    client_id: str
    client_secret: str
    only: bool  # whether passwords are for administrators alone
    name: str


@dataclass(frozen=True, slots=True)
class Quotas:
    """The most that one agency may hold or write: rows by kind, megabytes and recorded offers a day (of UTC)."""

    properties: int = 20_000
    offers: int = 200_000
    offers_a_day: int = 5_000
    megabytes_a_day: int = 2_000
    gigabytes: int = 50
    users: int = 200
    api_keys: int = 50
    notes: int = 500


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator decided. See `.env.example` for the meaning of each variable."""

    environment: str
    data_dir: Path
    secret_key: str = field(repr=False)
    secret_key_fallbacks: tuple[str, ...] = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    base_url: str
    support_email: str
    operator_email: str
    mail_server: str
    mail_port: int
    mail_use_tls: bool
    mail_use_ssl: bool
    mail_username: str | None
    mail_password: str | None = field(repr=False)
    mail_sender: str
    mail_bounce_to: str | None
    outbox_dir: Path | None
    webhook_allow_networks: tuple[Network, ...]
    outbound_ports: frozenset[int]
    trusted_proxies: int
    sentry_dsn: str | None = field(repr=False)
    metrics_token: str | None = field(repr=False)
    log_level: int
    form_min_seconds: float
    session_days: int
    session_idle_hours: int
    seal_file: Path | None
    tsa_url: str | None
    backup_recipient: str | None
    oidc: OpenIdIssuer | None = field(default=None, repr=False)
    quotas: Quotas = field(default_factory=Quotas)

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def secure(self) -> bool:
        """Served over TLS: cookies are marked Secure and HSTS is sent."""
        return self.base_url.startswith("https://")

    @property
    def outbound(self) -> tuple[tuple[Network, ...], frozenset[int]]:
        """Where calls may go beside the public internet, and to which ports of it beside 80 and 443."""
        return self.webhook_allow_networks, self.outbound_ports

    def cookie(self, name: str) -> str:
        """Under this name browsers take it from this very host only, over TLS, for all of it (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-{name}" if self.secure else name

    def flask(self) -> dict[str, Any]:
        """The same decisions under the names that Flask and its extensions read."""
        return {
            "SECRET_KEY": self.secret_key,
            "SECRET_KEY_FALLBACKS": list(self.secret_key_fallbacks),
            "SQLALCHEMY_DATABASE_URI": self.database_url,
            "SQLALCHEMY_ENGINE_OPTIONS": {
                "hide_parameters": True,  # what people typed is in no traceback
                **({} if self.database_url.startswith("sqlite") else POSTGRESQL),
            },
            "SESSION_COOKIE_NAME": self.cookie("bidflux"),
            "SESSION_COOKIE_PATH": "/",
            "SESSION_COOKIE_SECURE": self.secure,
            "SESSION_COOKIE_HTTPONLY": True,
            "SESSION_COOKIE_SAMESITE": "Lax",
            # Signed when it changes, not at every page: it outlives the session that it names.
            "SESSION_REFRESH_EACH_REQUEST": False,
            "PERMANENT_SESSION_LIFETIME": timedelta(days=self.session_days + 1),  # the row ends before the cookie does
            "MAX_CONTENT_LENGTH": 12 * 1024 * 1024,
            "MAX_FORM_MEMORY_SIZE": 2 * 1024 * 1024,
            "MAX_FORM_PARTS": 400,
            "WTF_CSRF_TIME_LIMIT": None,
            "WTF_CSRF_SSL_STRICT": self.secure,
            "BABEL_DEFAULT_LOCALE": DEFAULT,
            "MAIL_SERVER": self.mail_server,
            "MAIL_PORT": self.mail_port,
            "MAIL_USE_TLS": self.mail_use_tls,
            "MAIL_USE_SSL": self.mail_use_ssl,
            "MAIL_USERNAME": self.mail_username,
            "MAIL_PASSWORD": self.mail_password,
            "MAIL_DEFAULT_SENDER": self.mail_sender,
            "MAIL_DEBUG": False,
            "TEMPLATES_AUTO_RELOAD": False,
        }


class _Reader:
    """Collects values and faults, so that one start names everything that is wrong."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env, self.faults = from_files(env)

    def text(self, name: str, default: str = "") -> str:
        value = self.env.get(name, "").strip()
        if not is_plain(value):
            self.faults.append(f"{name} is not text in UTF-8 on one line")
            return default
        return value or default

    def words(self, name: str) -> list[str]:
        return [word.strip() for word in self.text(name).split(",") if word.strip()]

    def path(self, name: str, default: str) -> Path:
        try:
            return Path(self.text(name, default)).expanduser().resolve()
        except (OSError, RuntimeError):  # links that lead to one another, or somebody's home that there is not
            self.faults.append(f"{name}: {self.text(name)} leads nowhere")
            return Path(default)

    def mailbox(self, name: str, default: str | None = None) -> str | None:
        """An address, or a name before one in angle brackets."""
        value = self.text(name) or default
        if value and not re.fullmatch(r"[^@\s]{1,200}@[^@\s]{1,253}", parseaddr(value)[1]):
            self.faults.append(f"{name} must be an e-mail address")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.text(name, "1" if default else "0").lower()
        if value not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
            self.faults.append(f"{name} must be 1 or 0")
        return value in {"1", "true", "yes", "on"}

    def mail(self) -> dict[str, Any]:
        """The server and how it is reached: encrypted unless told otherwise (RFC 8314). Names and addresses of ours."""
        server, port = self.text("MAIL_SERVER"), self.number("MAIL_PORT", 587, 1)
        if not server:
            self.faults.append("MAIL_SERVER is missing: the SMTP server that carries the mail")
        elif not is_host(server):
            self.faults.append("MAIL_SERVER is not the name or address of a server")
        over_tls = self.flag("MAIL_USE_SSL", port == SUBMISSIONS)
        starttls = self.flag("MAIL_USE_TLS", not over_tls)
        if over_tls and starttls:
            self.faults.append(
                "MAIL_USE_TLS (STARTTLS, 587) and MAIL_USE_SSL (TLS from the start, 465): set one of them"
            )
        support_email = self.mailbox("SUPPORT_EMAIL", "support@bidflux.ro")
        return {
            "support_email": support_email,
            "operator_email": self.mailbox("OPERATOR_EMAIL", support_email),
            "mail_server": server,
            "mail_port": port,
            "mail_use_tls": starttls,
            "mail_use_ssl": over_tls,
            "mail_username": self.text("MAIL_USERNAME") or None,
            "mail_password": self.text("MAIL_PASSWORD") or None,
            "mail_sender": self.mailbox("MAIL_DEFAULT_SENDER", support_email),
            "mail_bounce_to": self.mailbox("MAIL_BOUNCE_TO"),
        }

    def number(self, name: str, default: int, low: int = 0, high: int = 65535) -> int:
        value = self.text(name, str(default))
        try:
            return whole(value, low, high)
        except NotANumber:
            self.faults.append(f"{name} must be a whole number from {low} to {high}")
            return default

    def log_level(self) -> int:
        value = self.text("LOG_LEVEL", "info").lower()
        if value not in LEVELS:
            self.faults.append(f"LOG_LEVEL must be one of {', '.join(LEVELS)}")
            return logging.INFO
        return logging.getLevelNamesMapping()[value.upper()]

    def secret(self, name: str, value: str) -> str:
        if not value:
            self.faults.append(f"{name} is missing")
        elif value.lower() in GUESSABLE or len(set(value)) < 8 or value in (value + value)[1:-1]:
            self.faults.append(f"{name} is a default or guessable value; generate one, as .env.example shows")
        elif len(value) < MIN_SECRET_LENGTH:
            self.faults.append(f"{name} is too short: at least {MIN_SECRET_LENGTH} characters")
        return value

    def parts(self, name: str, value: str) -> SplitResult | None:
        """An address taken apart; where it cannot be, or its port is none, that is said."""
        try:
            found = urlsplit(value)
            if found.port == 0 or (found.hostname and not is_host(found.hostname)):
                raise ValueError
        except ValueError:
            self.faults.append(f"{name} is no address: its host or port cannot be read")
            return None
        return found

    def address(self, name: str) -> str | None:
        value = self.text(name)
        parts = self.parts(name, value)
        if value and parts and (parts.scheme not in {"http", "https"} or not parts.hostname):
            self.faults.append(f"{name} must be an address that begins with https:// or http://")
        return value or None

    def oidc(self, production: bool) -> OpenIdIssuer | None:
        """All of it, or nothing."""
        issuer, client_id = self.address("OIDC_ISSUER"), self.text("OIDC_CLIENT_ID")
        client_secret = self.text("OIDC_CLIENT_SECRET")
        named = [one for one in (issuer, client_id, client_secret) if one]
        if named and len(named) < 3:
            self.faults.append("OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET belong together: one is missing")
        if issuer and production and not issuer.startswith("https://"):
            self.faults.append("OIDC_ISSUER must begin with https:// in production")
        only = self.flag("OIDC_ONLY")
        if issuer is None or len(named) < 3:
            return None
        return OpenIdIssuer(issuer, client_id, client_secret, only, self.text("OIDC_NAME", "OpenID"))

    def base_url(self, production: bool) -> str:
        value = self.text("BASE_URL").rstrip("/")
        parts = self.parts("BASE_URL", value)
        if parts is None:
            return value
        more = parts.path or parts.query or parts.fragment or parts.username is not None
        if parts.scheme not in {"http", "https"} or not parts.hostname or more:
            self.faults.append("BASE_URL must be the public address, such as https://oferte.example.ro")
        elif production and parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
            self.faults.append("BASE_URL must begin with https:// in production")
        return value

    def database_url(self, data_dir: Path) -> str:
        """Of the file in the data folder, whatever that is called, unless another is named."""
        own = URL.create("sqlite", database=str(data_dir / "bidflux.db")).render_as_string()
        value = _psycopg(self.text("DATABASE_URL", own))
        if not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            self.faults.append("DATABASE_URL must begin with sqlite:/// or postgresql://")
            return value
        try:
            found = make_url(value)
        except (ArgumentError, ValueError):
            self.faults.append(
                "DATABASE_URL cannot be read: its port, or a sign in its password that must be %-encoded"
            )
            return value
        if found.drivername == "sqlite" and (set("?#") & set(value) or found.database in {None, "", ":memory:"}):
            self.faults.append(
                "DATABASE_URL must name a file after sqlite:///; a ? or # in its name is written %3F or %23"
            )
        return value

    def redis_url(self) -> str:
        value = self.text("REDIS_URL")
        if not value.startswith(("redis://", "rediss://", "unix://")):
            self.faults.append("REDIS_URL is missing: redis://host:6379/0, rediss:// or unix://")
            return value
        try:
            pool = ConnectionPool.from_url(value)
            pool.connection_class(**pool.connection_kwargs)  # calls nobody yet
            number = "" if value.startswith("unix:") else urlsplit(value).path.strip("/")
            if not is_host(str(pool.connection_kwargs.get("host", "h"))) or (number and not number.isdecimal()):
                raise ValueError
        except (ValueError, TypeError, RedisError):
            self.faults.append("REDIS_URL cannot be read: its port, number of database, or what follows the ?")
        return value

    def sentry_dsn(self) -> str | None:
        """Read as Sentry's own client reads it, which is loaded only where it is used."""
        value = self.text("SENTRY_DSN")
        if value:
            from sentry_sdk.utils import BadDsn, Dsn

            try:
                Dsn(value)
            except (BadDsn, ValueError):
                self.faults.append("SENTRY_DSN is not one that Sentry gives out: https://key@host/number")
        return value or None

    def folder(self, name: str, default: str) -> Path:
        """A folder that is there or can be made, and written to."""
        path = self.path(name, default)
        there = next((folder for folder in (path, *path.parents) if os.path.lexists(folder)), Path())
        if not there.is_dir():
            self.faults.append(f"{name}: {there} is a file, not a folder")
        elif not os.access(there, os.W_OK | os.X_OK):
            self.faults.append(f"{name}: {there} cannot be written to")
        return path

    def keys(self) -> tuple[bytes, ...]:
        found = []
        words = self.words("BIDFLUX_KEYS")
        if not words:
            self.faults.append("BIDFLUX_KEYS is missing: one or more 32-byte keys in base64, the active one first")
        for number, word in enumerate(words, 1):
            try:
                key = base64.b64decode(word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if len(key) != KEY_BYTES or len(set(key)) < 8:
                self.faults.append(f"BIDFLUX_KEYS: key {number} is not 32 random bytes in base64")
            else:
                found.append(key)
        if len(set(found)) != len(found):
            self.faults.append("BIDFLUX_KEYS names the same key twice")
        return tuple(found)

    def ports(self) -> frozenset[int]:
        found = set()
        for word in self.words("OUTBOUND_PORTS"):
            try:
                found.add(whole(word, 1, 65535))
            except NotANumber:
                self.faults.append(f"OUTBOUND_PORTS: {word!r} is not a port such as 8443")
                return frozenset()
        return frozenset(found)

    def quotas(self) -> Quotas:
        usual, most = Quotas(), 1_000_000_000
        return Quotas(
            properties=self.number("QUOTA_PROPERTIES", usual.properties, 1, most),
            offers=self.number("QUOTA_OFFERS", usual.offers, 1, most),
            offers_a_day=self.number("QUOTA_OFFERS_A_DAY", usual.offers_a_day, 1, most),
            megabytes_a_day=self.number("QUOTA_MEGABYTES_A_DAY", usual.megabytes_a_day, 1, most),
            gigabytes=self.number("QUOTA_GIGABYTES", usual.gigabytes, 1, most),
            users=self.number("QUOTA_USERS", usual.users, 1, most),
            api_keys=self.number("QUOTA_API_KEYS", usual.api_keys, 1, most),
            notes=self.number("QUOTA_NOTES", usual.notes, 1, most),
        )

    def networks(self) -> tuple[Network, ...]:
        found = []
        for word in self.words("WEBHOOK_ALLOW_NETWORKS"):
            try:
                found.append(ipaddress.ip_network(word))
            except ValueError:
                self.faults.append(f"WEBHOOK_ALLOW_NETWORKS: {word!r} is not a network such as 10.0.0.0/8")
        return tuple(found)


def _psycopg(url: str) -> str:
    """Accept the spellings hosts hand out, always meaning psycopg 3."""
    for scheme in ("postgres://", "postgresql://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _environment() -> Mapping[str, str]:
    """The process's own; for a command typed beside a `make run`, what that run decided stands behind it."""
    run = Path(os.path.expanduser(os.environ.get("BIDFLUX_DATA", "").strip() or "instance")) / "run.env"
    brought = {"SECRET_KEY", "SECRET_KEY_FILE"} & set(os.environ)
    if click.get_current_context(silent=True) is None or brought or not run.is_file():
        return os.environ
    try:
        lines = [line.partition("=") for line in run.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError([f"{run} cannot be read ({why}); `make run` writes it anew"]) from None
    return {**without_doubles({name: value for name, _, value in lines}, os.environ), **os.environ}


def load_settings(env: Mapping[str, str] | None = None) -> Settings:
    """Read and check the environment; raise `ConfigurationError` that names all that is wrong at once."""
    read = _Reader(_environment() if env is None else env)
    data_dir = read.folder("BIDFLUX_DATA", "instance")
    environment = read.text("BIDFLUX_ENV", "production")
    if environment not in {"production", "development"}:
        read.faults.append("BIDFLUX_ENV must be production or development")
    secret_key = read.secret("SECRET_KEY", read.text("SECRET_KEY"))
    if secret_key and secret_key in {*read.words("BIDFLUX_KEYS")}:
        read.faults.append("BIDFLUX_KEYS must be other than SECRET_KEY: who forges a link must not read the data")
    outbox = read.text("OUTBOX_DIR")
    if outbox and environment == "production":
        read.faults.append("OUTBOX_DIR shows everybody's mail and is for development only")
    settings = Settings(
        environment=environment,
        data_dir=data_dir,
        secret_key=secret_key,
        secret_key_fallbacks=tuple(
            read.secret("SECRET_KEY_FALLBACKS", word) for word in read.words("SECRET_KEY_FALLBACKS")
        ),
        keys=read.keys(),
        database_url=read.database_url(data_dir),
        redis_url=read.redis_url(),
        base_url=read.base_url(environment == "production"),
        **read.mail(),
        outbox_dir=read.path("OUTBOX_DIR", "outbox") if outbox else None,
        webhook_allow_networks=read.networks(),
        outbound_ports=read.ports(),
        trusted_proxies=read.number("TRUSTED_PROXIES", 0, 0, 10),
        sentry_dsn=read.sentry_dsn(),
        metrics_token=read.secret("METRICS_TOKEN", token) if (token := read.text("METRICS_TOKEN")) else None,
        log_level=read.log_level(),
        form_min_seconds=float(read.number("FORM_MIN_SECONDS", 2, 0, 60)),
        session_days=read.number("SESSION_DAYS", 14, 1, 90),
        session_idle_hours=read.number("SESSION_IDLE_HOURS", 72, 1, 24 * 90),
        seal_file=read.path("SEAL_FILE", "seal.pem") if read.text("SEAL_FILE") else None,
        tsa_url=read.address("TSA_URL"),
        backup_recipient=read.text("BACKUP_RECIPIENT") or None,
        oidc=read.oidc(environment == "production"),
        quotas=read.quotas(),
    )
    if read.faults:
        raise ConfigurationError(read.faults)
    return settings
