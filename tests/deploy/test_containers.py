"""The container's files name what there is, and close what they may. Building them takes a registry: no test does."""

from __future__ import annotations

import re

import yaml

from app.core.secret_files import NAMES
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "container"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
OWN = ("migrate", "web", "worker", "relay")


def instructions() -> list[tuple[str, str]]:
    """Of the Containerfile, each on one line."""
    whole = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", (FOLDER / "Containerfile").read_text(), flags=re.M))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


def test_what_is_copied_exists_and_the_context_holds_no_more() -> None:
    copied = [rest.split() for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    sources = {source for words in copied for source in words[:-1]}
    assert sources and all((ROOT / source).exists() for source in sources)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*" and sources <= {line.removeprefix("!") for line in ignored}


def test_it_installs_what_is_pinned_and_runs_as_nobody_of_the_machine() -> None:
    words = [word for word, _ in instructions()]
    last = words[len(words) - words[::-1].index("FROM") :]
    assert last.index("USER") < last.index("CMD")
    user = next(rest for word, rest in instructions() if word == "USER")
    assert user.split(":")[0].isdecimal() and int(user.split(":")[0]) >= 10000
    assert any("--require-hashes" in rest for word, rest in instructions() if word == "RUN")
    assert not any(re.search(r"SECRET|PASSWORD|KEYS", rest) for word, rest in instructions() if word in {"ENV", "ARG"})


def test_every_service_is_closed() -> None:
    assert set(COMPOSE["services"]) == {*OWN, "valkey"}
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"] and service["user"].split(":")[0] != "0", name
    for published in COMPOSE["services"]["web"]["ports"]:
        assert published.startswith("127.0.0.1:")
    assert "ports" not in COMPOSE["services"]["valkey"]


def test_what_answers_has_a_health_check_and_is_waited_for() -> None:
    services = COMPOSE["services"]
    assert "/readyz" in str(services["web"]["healthcheck"]["test"]) and services["valkey"]["healthcheck"]
    for name in ("web", "worker", "relay"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert services[name]["depends_on"]["valkey"] == {"condition": "service_healthy"}


def test_commands_are_those_of_the_procfile_and_secrets_are_files() -> None:
    procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    services = COMPOSE["services"]
    assert {name: " ".join(services[name]["command"]) for name in OWN if name != "web"} == {
        "migrate": procfile["release"],
        "worker": procfile["worker"],
        "relay": procfile["relay"],
    }
    command = next(rest for word, rest in instructions() if word == "CMD")
    assert " ".join(yaml.safe_load(command)) == procfile["web"]
    environment = services["web"]["environment"]
    for name, secret in ((n, v.removeprefix("/run/secrets/")) for n, v in environment.items() if n.endswith("_FILE")):
        assert name.removesuffix("_FILE") in NAMES
        assert secret in services["web"]["secrets"] and secret in COMPOSE["secrets"]
