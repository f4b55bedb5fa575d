"""Health checks for the operator: each says "ok", or what is wrong and what to do about it."""

from __future__ import annotations

import shutil
import smtplib
import sqlite3
import ssl
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import current_app
from flask_babel import gettext as _
from redis import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.backups import schedule
from app.config import Settings
from app.core.clock import now
from app.core.database import is_sqlite
from app.core.keys import lost_keys
from app.core.wake import waker
from app.delivery.queue import oldest_due
from app.extensions import db
from app.models import Agency, Delivery, PrivacyRequest, PropertyFeed
from app.ops import chores, proxies
from app.outbound.smtp import open_connection
from app.proof.authority import Authority
from app.proof.checkpoint_check import head_fault
from app.proof.heads import Heads, UnreadableHead

OK = "ok"
CERTIFICATE_DUE = timedelta(days=30)
FEEDS_WAIT = timedelta(hours=3)
PATIENCE = 120  # seconds that something due may wait: a sweep is five, a lapsed lease forty-five
LEAST_FREE = 512 * 1024 * 1024
LEAST_TO_SERVE = 32 * 1024 * 1024  # below it nothing is begun that may not be finished
ASKED_FOR = 5.0  # seconds that the mail server has for each of its answers
ASKED_AGAIN = 2.0  # seconds: whoever asks often does not make the disk busy


def database() -> str:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        db.session.rollback()
        kind = type(error).__name__
        return str(_("unreachable (%(why)s): is it up, and is DATABASE_URL right?", why=kind))
    return OK


def writable() -> str:
    """Whether an offer could be taken: room is left, and a write reaches the disk. Asked again after two seconds."""
    asked, found = current_app.extensions.get("bidflux_writable", (0.0, OK))
    if not asked or time.monotonic() - asked >= ASKED_AGAIN:
        found = _room() or _write()
        current_app.extensions["bidflux_writable"] = (time.monotonic(), found)
    return str(found)


def _room() -> str:
    places = {_settings().data_dir}
    if is_sqlite(db.engine):
        places.add(Path(str(db.engine.url.database)).parent)
    full = [place for place in places if shutil.disk_usage(place).free < LEAST_TO_SERVE]
    return f"full: the disk of {full[0]} has no room; it goes on by itself when there is some" if full else ""


def _write() -> str:
    """A write that changes nothing and goes the whole way; one that waits for another writer is no fault."""
    try:
        if not is_sqlite(db.engine):
            with db.engine.begin() as connection:
                connection.execute(text("SELECT pg_current_xact_id()"))
            return OK
        with closing(sqlite3.connect(str(db.engine.url.database), timeout=0.5, isolation_level=None)) as own:
            own.execute("PRAGMA synchronous=FULL")
            version = own.execute("PRAGMA user_version").fetchone()[0]
            own.execute(f"PRAGMA user_version={int(version)}")
    except sqlite3.OperationalError as error:
        return OK if "locked" in str(error) else f"unwritable: the database says {error}"
    except (sqlite3.Error, SQLAlchemyError) as error:
        return f"unwritable: the database says {str(getattr(error, 'orig', error)).splitlines()[0]}"
    return OK


def applied() -> set[str]:
    """The revisions that the schema stands at."""
    return set(MigrationContext.configure(db.session.connection()).get_current_heads())


def migrations() -> str:
    try:
        stands_at = applied()
        db.session.scalar(select(func.count()).select_from(Agency))
    except SQLAlchemyError:
        db.session.rollback()
        stands_at = set()
    return OK if _serves(stands_at) else str(_("behind: run `flask db upgrade`"))


def _serves(applied: set[str]) -> bool:
    """Whether this code can work on a schema: its own, or a newer one, which only adds to it (expand, then contract).

    A revision that is not among ours was made after them.
    """
    return applied == _revisions()[0] or bool(applied and not applied & _revisions()[1])


def readiness() -> dict[str, str]:
    """What `/readyz` asks, each in a few milliseconds."""
    reachable = database()
    able = writable() if reachable == OK else reachable
    return {"database": able, "migrations": migrations(), "queue": queue(), "deliveries": late(), "disk": disk()}


def oldest_waits() -> int:
    """Seconds for which the oldest due delivery waits; asked again after two."""
    held: tuple[float, int] = current_app.extensions.get("bidflux_oldest", (0.0, 0))
    asked, waits = held
    if not asked or time.monotonic() - asked >= ASKED_AGAIN:
        at = now()
        since = oldest_due(at)
        waits = max(0, (at - since) // timedelta(seconds=1)) if since else 0
        current_app.extensions["bidflux_oldest"] = (time.monotonic(), waits)
    return waits


def late() -> str:
    """Whether what is due is delivered."""
    try:
        return f"late: {oldest_waits()} s" if oldest_waits() >= PATIENCE else OK
    except SQLAlchemyError:
        db.session.rollback()
        return "unknown"


def queue() -> str:
    try:
        waker().connection.ping()
    except RedisError:
        return str(_("away: mail still leaves, within half a minute; check REDIS_URL"))
    return OK


def mail() -> str:
    """Whether the mail server lets us in, encrypted as it should be. Nothing is sent."""
    where, connection = _settings(), open_connection(ASKED_FOR)
    server = f"{where.mail_server}:{where.mail_port}"
    try:
        connection.host = connection.configure_host()
    except smtplib.SMTPNotSupportedError:
        return str(_("%(server)s offers no STARTTLS; in clear nothing is sent unless MAIL_USE_TLS=0", server=server))
    except ssl.SSLError as error:
        return str(_("%(server)s: the encryption fails (%(why)s)", server=server, why=error.reason or error))
    except smtplib.SMTPResponseException as error:
        return str(_("%(server)s does not let us in (%(code)s)", server=server, code=error.smtp_code))
    except (smtplib.SMTPException, OSError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return str(_("%(server)s does not answer (%(why)s); mail waits meanwhile", server=server, why=why))
    finally:
        connection.quit()
    if where.mail_use_tls or where.mail_use_ssl:
        return OK
    if _on_this_machine(where.mail_server):
        remark = _("in clear, as MAIL_USE_TLS=0 asks, and no further than this machine")
        return f"{OK}: {remark}"
    return str(_("mail leaves this machine in clear: MAIL_USE_TLS=1 (STARTTLS) or MAIL_USE_SSL=1 (port 465)"))


def backups() -> str:
    """Whether one was made of late, and none has failed since."""
    held = chores.chore(schedule.NAME)
    if held is None or (held.good_at is None and not held.settings):
        wanted = _settings().production
        return str(_("none is made: `backup schedule` has the relay do it each night")) if wanted else OK
    if held.fault:
        return str(_("the last one failed: %(why)s", why=held.fault))
    if held.good_at is None:
        return (
            OK if held.due_at and held.due_at > now() - schedule.AGAIN else str(_("none was made: is a relay running?"))
        )
    if now() - held.good_at > schedule.OLD:
        return str(_("the last good one is of %(when)s UTC", when=f"{held.good_at:%Y-%m-%d %H:%M}"))
    return OK


def certificates() -> str:
    """Whether what seals receipts lasts: one of the owner's own is not replaced by itself."""
    authority: Authority = current_app.extensions["bidflux_authority"]
    if not (_settings().data_dir / "seal").is_dir() and not _settings().seal_file:
        return OK
    until = authority.seal().certificate.not_valid_after_utc
    if until - now() > CERTIFICATE_DUE:
        return OK
    return str(_("the certificate that seals receipts ends on %(day)s: put a new one in SEAL_FILE", day=until.date()))


def proxy() -> str:
    """Whether one stands in front that TRUSTED_PROXIES does not count."""
    return proxies.said() or OK


def is_sound(finding: str) -> bool:
    """`ok`, or that with a remark."""
    return finding == OK or finding.startswith(f"{OK}:")


def _on_this_machine(server: str) -> bool:
    return server in {"localhost", "127.0.0.1", "::1"}


def relay() -> str:
    """Whether anybody delivers: what is due waits for nobody long while a relay runs."""
    at = now()
    oldest = oldest_due(at)
    if oldest is None or (waits := int((at - oldest).total_seconds())) < PATIENCE:
        return OK
    return str(_("something due has waited for %(seconds)d s: is a relay running?", seconds=waits))


def deliveries() -> str:
    dead = db.session.scalar(select(func.count()).where(Delivery.state == "dead"))
    return str(_("%(count)d could not be sent; /ops and the offers' pages say which", count=dead)) if dead else OK


def feeds() -> str:
    """Whether feeds that are due are read at all; what is wrong with one stands on its page."""
    late = db.session.scalar(select(func.count()).where(PropertyFeed.due_at < now() - FEEDS_WAIT)) or 0
    return str(_("%(count)d wait for hours to be read: is a relay running?", count=late)) if late else OK


def keys() -> str:
    lost = lost_keys(db.session.connection())
    return str(_("data is sealed under keys that BIDFLUX_KEYS lacks: %(keys)s", keys=", ".join(lost))) if lost else OK


def requests() -> str:
    """What persons asked and no agency answered in its thirty days."""
    open_ones = (PrivacyRequest.ended_at.is_(None), PrivacyRequest.due_at < now())
    late = db.session.scalar(select(func.count()).where(*open_ones))
    said = _("%(count)d requests to be erased are past their thirty days; see Settings, Requests", count=late or 0)
    return str(said) if late else OK


def disk() -> str:
    free = shutil.disk_usage(_settings().data_dir).free
    if free > LEAST_FREE:
        return OK
    megabytes, folder = free // 1024 // 1024, _settings().data_dir
    return str(_("low: %(megabytes)d MB are left where %(folder)s is", megabytes=megabytes, folder=folder))


def registers() -> str:
    """Whether each register still holds the head that was signed last; all of it is for `ledger verify`."""
    heads: Heads = current_app.extensions["bidflux_signed_heads"]
    authority: Authority = current_app.extensions["bidflux_authority"]
    db.session.rollback()
    for agency_id in heads.agencies():
        try:
            head = heads.held(agency_id)
        except UnreadableHead:
            return f"the head of {agency_id} beside the seal (seal/heads/) cannot be read"
        if why := head_fault(db.session.connection(), authority.own_roots(), agency_id, head):
            return f"of {agency_id}: {why}; see `ledger verify`, or, after a restore, `backup restored`"
    return OK


CHECKS: dict[str, Callable[[], str]] = {
    "database": database,
    "writing": writable,
    "migrations": migrations,
    "queue": queue,
    "mail": mail,
    "proxy": proxy,
    "relay": relay,
    "deliveries": deliveries,
    "feeds": feeds,
    "backups": backups,
    "keys": keys,
    "certificates": certificates,
    "registers": registers,
    "requests": requests,
    "disk": disk,
}


def findings() -> dict[str, str]:
    """Every check. Where the database cannot tell, the check says so."""
    found = {}
    for name, check in CHECKS.items():
        try:
            found[name] = check()
        except SQLAlchemyError:
            db.session.rollback()
            found[name] = str(_("unknown: the database does not tell"))
    return found


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidflux_settings"]
    return settings


def _revisions() -> tuple[set[str], set[str]]:
    """The last of our migrations, and all of them."""
    known: tuple[set[str], set[str]] | None = current_app.extensions.get("bidflux_revisions")
    if known is None:
        directory = ScriptDirectory(f"{current_app.root_path}/../{current_app.extensions['migrate'].directory}")
        known = set(directory.get_heads()), {script.revision for script in directory.walk_revisions()}
        current_app.extensions["bidflux_revisions"] = known
    return known
