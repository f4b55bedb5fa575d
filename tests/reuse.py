"""What the application of every test would work out anew though it comes out the same: done once for each process.

Nothing of a test's own is kept here: no row, no answer, no setting. A process of the product works each of these out
once too; it is only the suite that makes two thousand applications.
"""

from __future__ import annotations

import gc
from types import CodeType
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from app.extensions import babel, db


class Templates(BytecodeCache):
    """The code of templates, by their language and what is written in them."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.held.get((bucket.environment.spoken, bucket.key, bucket.checksum))  # type: ignore[attr-defined]

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code
        self.held[bucket.environment.spoken, bucket.key, bucket.checksum] = bucket.code  # type: ignore[attr-defined]


TEMPLATES = Templates()
STATEMENTS: LRUCache[Any, Any] = LRUCache(2000)
CATALOGS: dict[Any, Any] = {}
_builders: dict[Any, Any] = {}
_compile_builder = Rule._compile_builder


def _builder(rule: Rule, append_unknown: bool = True) -> Any:
    """The function that builds a rule's addresses, from the rule's text alone: it asks the rule for the rest."""
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


def once() -> None:
    """Call this before the first application is made."""
    Rule._compile_builder = _builder  # type: ignore[method-assign]
    # A compiled statement is kept by its dialect, of which each engine has its own; the suite has one server of a kind.
    DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign]
    DefaultDialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]


def share(app: Flask) -> None:
    app.jinja_env.bytecode_cache = TEMPLATES
    babel.domain_instance.cache = CATALOGS
    with app.app_context():
        db.engine.update_execution_options(compiled_cache=STATEMENTS)


def forget_imports() -> None:
    """What was imported stays: looking through it for garbage, again and again, took a fifth of the suite's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)  # a page alone makes more than the usual seven hundred
