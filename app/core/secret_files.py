"""Secrets by file: `NAME_FILE` names a file that holds NAME, as systemd's credentials and containers hand them over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# What must not stand in an environment, which any process of the same user reads and any fault report may show.
NAMES = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "BIDFLUX_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "MAIL_PASSWORD",
    "METRICS_TOKEN",
    "SENTRY_DSN",
    "OIDC_CLIENT_SECRET",
)
MOST_BYTES = 64 * 1024


def from_files(env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The environment with each file's content in place of its name, and what was wrong, one line a fault."""
    found, faults = dict(env), []
    for name in NAMES:
        path = found.pop(f"{name}_FILE", "").strip()
        if not path:
            continue
        if found.get(name, "").strip():
            faults.append(f"{name} and {name}_FILE are both set: set one of them")
            continue
        try:
            found[name] = _content(Path(path))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            faults.append(f"{name}_FILE: {_shown(path)} cannot be read ({why})")
    return found, faults


def without_doubles(behind: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """What stands behind the environment, less each secret that the environment itself gives in either way."""
    given = {name for name in NAMES if name in env or f"{name}_FILE" in env}
    return {name: value for name, value in behind.items() if name.removesuffix("_FILE") not in given}


def _content(path: Path) -> str:
    """Text of a regular file, without the line's end; nothing that waits or never ends is opened."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")
    with path.open("rb") as file:
        held = file.read(MOST_BYTES + 1)
    if len(held) > MOST_BYTES:
        raise ValueError("it is too large for a secret")
    try:
        text = held.decode("utf-8").strip()
    except UnicodeError:
        raise ValueError("it is no text in UTF-8") from None
    if not text:
        raise ValueError("it is empty")
    return text


def _shown(path: str) -> str:
    return path.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")[:200]
