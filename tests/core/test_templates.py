"""Templates with their words in them say what they would say word by word, in the reader's language."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from flask import Flask, render_template
from flask.testing import FlaskClient
from flask_babel import force_locale
from jinja2 import ChoiceLoader, DictLoader, nodes
from markupsafe import Markup, escape

from app.core.language import LANGUAGES, Catalogs
from app.core.templates import Templates
from app.extensions import babel
from app.models import User
from tests.factories import login

HOSTILE = "<b>&%(x)s%d\"'{{ 7*7 }}"


def environment(app: Flask, **sources: str) -> Templates:
    env = app.jinja_env
    assert isinstance(env, Templates)
    env.loader = ChoiceLoader([DictLoader(sources), app.create_global_jinja_loader()])
    return env


def every_word(app: Flask) -> str:
    """A template with each text of the catalogue that a template could ask for."""
    words: Catalogs = babel.domain_instance  # type: ignore[assignment]
    with app.test_request_context(), force_locale("ro"):
        msgids = [one for one in words.get_translations()._catalog if isinstance(one, str) and one]
    lines = []
    for msgid in msgids:
        names = set(re.findall(r"%\((\w+)\)[sd]", msgid)) - {"num"}
        if "%(num)" in msgid or len(re.findall("%", msgid)) != len(re.findall(r"%\(\w+\)s|%%", msgid)):
            continue
        lines.append("{{ _(" + ", ".join([repr(msgid), *(f"{name}=given" for name in sorted(names))]) + ") }}")
    assert len(lines) > 800
    return "\n".join(lines)


@pytest.mark.parametrize("kind", ["html", "txt"])
@pytest.mark.parametrize("code", LANGUAGES)
def test_every_text_is_the_one_that_was_asked_for(app: Flask, code: str, kind: str) -> None:
    source = every_word(app)
    env = environment(app, **{f"all.{kind}": source})
    with app.test_request_context(), force_locale(code):
        folded = env.get_template(f"all.{kind}").render(given=HOSTILE)
        asked = env.from_string("{% autoescape " + str(kind == "html").lower() + " %}" + source + "{% endautoescape %}")
        assert folded == asked.render(given=HOSTILE)
    assert ("<b>" in folded) is (kind == "txt")


def test_no_constant_text_is_left_to_be_asked_for(app: Flask) -> None:
    env = app.jinja_env
    with app.test_request_context():
        held = env._of("ro")  # type: ignore[attr-defined]
        for name in env.list_templates(extensions=["html", "txt", "xml"]):
            source = env.loader.get_source(env, name)[0]  # type: ignore[union-attr]
            for call in held._parse(source, name, None).find_all(nodes.Call):
                plain = isinstance(call.node, nodes.Name) and call.node.name == "_"
                assert not (plain and isinstance(call.args[0], nodes.Const)), f"{name}:{call.lineno}"


def test_each_language_has_its_own_even_of_what_is_included(app: Flask) -> None:
    environment(
        app,
        **{
            "frame.html": '{% block main %}{% endblock %}|{{ _("Yes") }}',
            "parts.html": '{% macro part(x) %}{{ _("No") }}:{{ x }}:{{ lang }}{% endmacro %}',
            "piece.html": '{{ _("Yes") }}{{ given }}',
            "page.html": '{% extends "frame.html" %}{% block main %}{% from "parts.html" import part with context %}'
            '{{ part(_("Yes")) }}{% include "piece.html" %}{% set x = _("No") %}{{ x if x else "" }}{% endblock %}',
        },
    )
    said = {"ro": "Nu:Da:roDa&lt;Nu|Da", "en": "No:Yes:enYes&lt;No|Yes"}
    for _ in range(2):
        for code in LANGUAGES:
            with app.test_request_context(), force_locale(code):
                assert render_template("page.html", given="<") == said[code]


def test_global_names_are_one_dictionary_that_no_template_changes(app: Flask) -> None:
    env = environment(app, **{"page.html": "{% set asset = 1 %}{{ asset }}{{ late is defined }}"})
    with app.test_request_context():
        before = dict(env.globals)
        assert env.get_template("page.html").render(label=2) == "1False"
        assert env.globals == before
        env.globals["late"] = True
        assert env.get_template("page.html").render() == "1True"
        with pytest.raises(TypeError):
            env.get_template("page.html", globals={"asset": 2})


def test_a_page_that_changes_nothing_signs_no_cookie(client: FlaskClient, app: Flask, owner: User) -> None:
    login(client, owner)
    client.get("/app/offers")  # the token of its forms is made once
    answers: Any = [client.get(path) for path in ("/app/offers", "/app/properties", "/app/offers")]
    assert not list(chain.from_iterable(one.headers.getlist("Set-Cookie") for one in answers))
    longest = timedelta(days=app.extensions["bidflux_settings"].session_days)
    assert app.permanent_session_lifetime > longest, "the cookie lives as long as any session may"


def test_what_is_put_out_is_escaped_as_jinja_does_it(app: Flask) -> None:
    class Shown:
        def __html__(self) -> str:
            return "<i>"

    class Text(str):
        __slots__ = ()

    values = [
        "",
        "a",
        "&",
        "<",
        ">",
        "'",
        '"',
        HOSTILE,
        Markup("<b>"),
        Text("<b>"),
        Shown(),
        7,
        None,
        1.5,
        ["<"],
        ("'",),
    ]
    env = environment(app, **{"one.html": "{{ value }}|{% set held = value %}{{ held }}|{{ value }}<"})
    with app.test_request_context():
        for value in values:
            plain = escape(value)
            assert render_template("one.html", value=value) == f"{plain}|{plain}|{plain}<", value
        assert render_template("one.html") == "||<"
    assert env.from_string("{{ value }}").render(value=HOSTILE) == escape(HOSTILE)
