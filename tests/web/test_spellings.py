"""A path has one spelling: another is not found, and nothing answers with an address made of the caller's Host."""

from __future__ import annotations

import re

from flask import Flask
from flask.testing import FlaskClient

STRANGE = "evil.example"


def test_no_spelling_of_a_path_redirects_to_the_callers_host(app: Flask, client: FlaskClient) -> None:
    paths = {re.sub(r"<[^>]+>", "x", rule.rule) for rule in app.url_map.iter_rules()} | {"/o/x", "/no/such"}
    asked = {}
    for path in sorted(paths):
        for twist in (
            path.replace("/", "//"),
            path[:1] + path[1:].replace("/", "///"),
            f"{path}/",
            f"/.{path}",
            f"{path}//",
        ):
            for method in ("GET", "POST"):
                spelled = {"PATH_INFO": twist, "HTTP_HOST": STRANGE, "REQUEST_METHOD": method}
                asked[f"{method} {twist}"] = client.open("/", environ_overrides=spelled)
    told = {path: answer.headers.get("Location", "") for path, answer in asked.items()}
    assert not [path for path, where in told.items() if STRANGE in where or where.startswith("//")]
    assert not [path for path, answer in asked.items() if answer.status_code in {301, 302, 307, 308}]
    assert asked["GET //o//x"].status_code == 404
