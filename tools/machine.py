"""What `make run` needs of the machine: a folder of its own, secrets in it, a port to listen on."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

SECRET_NAMES = ("SECRET_KEY", "BIDFLUX_KEYS")


class StartupError(RuntimeError):
    """One line that says why it cannot run and what to do."""


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        os.unlink(temporary)
        raise OSError(error.errno, error.strerror, str(path)) from None


def data_folder(text: str) -> Path:
    """Where it is, read as the product itself reads it."""
    text = text.strip() or "instance"
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise StartupError("BIDFLUX_DATA is not text in UTF-8 on one line")
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError):
        raise StartupError(f"BIDFLUX_DATA: {text} leads nowhere") from None


def make_folder(path: Path, setting: str = "BIDFLUX_DATA") -> None:
    """The folder, or one line that names the setting."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise StartupError(f"{setting}: {path} cannot be used as a folder ({error.strerror})") from None


def given_either_way(name: str, given: Mapping[str, str]) -> bool:
    """As a value, or as the name of a file that holds it."""
    return bool(given.get(name) or given.get(f"{name}_FILE"))


def load_secrets(path: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Read the generated secrets, made on the first start and never again: they open the data."""
    if all(given_either_way(name, given) for name in SECRET_NAMES) and not path.exists():
        return {}
    if not path.exists():
        database = path.with_name("bidflux.db")
        if database.exists() and database.stat().st_size:
            raise StartupError(
                f"{path} is missing beside an existing database: put it back, it holds the keys that open the data"
                " (or set SECRET_KEY and BIDFLUX_KEYS, or choose another BIDFLUX_DATA)"
            )
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        write_private(path, f"SECRET_KEY={secrets.token_hex(32)}\nBIDFLUX_KEYS={key}\n")
    if not path.is_file():
        raise StartupError(f"{path} is no file: put it back, or choose another BIDFLUX_DATA")
    try:
        lines = [line.partition("=") for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        raise StartupError(f"{path} is no text: put it back, or choose another BIDFLUX_DATA") from None
    found = {name.strip(): value.strip() for name, _, value in lines}
    missing = [name for name in SECRET_NAMES if not found.get(name)]
    if missing:
        raise StartupError(f"{path} lacks {', '.join(missing)}: put it back, or choose another BIDFLUX_DATA")
    return {name: found[name] for name in SECRET_NAMES}


def set_aside(folder: Path) -> list[Path]:
    """Rename what Valkey kept, with the moment in its name; returns what there is now."""
    moment = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
    kept = [name for name in ("appendonlydir", "dump.rdb") if os.path.lexists(folder / name)]
    return [(folder / name).rename(folder / f"{name}.broken-{moment}") for name in kept]


def answers(port: int, password: str) -> bool:
    """Whether the Valkey of this password has read what it kept and takes work."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as line, line.makefile("rb") as said:
            line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return [said.readline(), said.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
    except OSError:
        return False


def quoted(path: Path) -> str:
    """A path in Valkey's configuration, whatever signs are in it."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def reachable(host: str) -> str:
    """The host as it stands in an address: what listens everywhere is reached on the loopback, IPv6 in brackets."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104 (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def lock_folder(data: Path) -> int:
    """Hold the data folder; Valkey inherits the lock, so a killed run's Valkey cannot meet its successor."""
    descriptor = os.open(data / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for attempt in range(15):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            time.sleep(0.2 if attempt < 14 else 0)
    os.close(descriptor)
    raise StartupError(f"BidFlux already runs on {data}: stop it first, or choose another BIDFLUX_DATA")


def check_port(host: str, port: int) -> None:
    """Fail before anything is started, rather than let gunicorn retry."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError, TypeError) as error:
            hint = f"try PORT={port + 1 if port < 65535 else 8000} make run, or another HOST"
            reason = getattr(error, "strerror", None) or "that is no host"
            shown = host.encode("utf-8", "replace").decode()
            raise StartupError(f"Cannot listen on {shown}:{port} ({reason}): {hint}") from None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_number(name: str, given: Mapping[str, str]) -> None:
    """What gunicorn itself reads before our own settings for it, and with a traceback."""
    text = given.get(name) or "1"
    if not text.isdecimal() or len(text) > 4 or int(text) < 1:
        raise StartupError(f"{name} must be a whole number from 1 to 1000, not {text!r}")


def demo_wanted(given: Mapping[str, str]) -> bool:
    """Whether an empty database gets the demo agency: unless `DEMO=0`."""
    text = given.get("DEMO") or "1"
    if text not in {"0", "1"}:
        raise StartupError(f"DEMO must be 1 (a demo agency, where there is none) or 0, not {text!r}")
    return text == "1"


def port_number(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or not 0 < int(text) < 65536:
        raise StartupError(f"PORT must be a number from 1 to 65535, not {text!r}")
    return int(text)
