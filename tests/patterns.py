"""Every regular expression of the product, and texts built from its own repeats that make a bad one take hours.

Run as a program it tries them all and prints those that did not come to an end in time, one a line.
"""

from __future__ import annotations

import ast
import importlib
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from re import _constants as sre  # type: ignore[attr-defined]  # isort: skip  # the parser is not public; nothing else names a pattern's repeats
from re import _parser  # type: ignore[attr-defined]  # isort: skip

ROOT = Path(__file__).parents[1]
LENGTH = 100_000  # a quadratic pattern works at least 5 seconds over it, a linear one some milliseconds
SECONDS = 1  # of work, not of the clock
WHOLE = ("match", "fullmatch")
PARTS = ("search", "sub", "subn", "findall", "finditer", "split")
# Patterns whose text is not known where they are compiled: each is met again where it is written down.
GIVEN = {("app/core/values.py", "pattern")}


@dataclass(frozen=True, slots=True)
class Used:
    """A pattern, and whether it is looked for anywhere in a text or only at its beginning."""

    where: str
    pattern: re.Pattern[Any]
    anywhere: bool


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted([*ROOT.glob("app/**/*.py"), *ROOT.glob("tools/*.py")]):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield path, name


def patterns() -> list[Used]:
    """What is passed to `re`, to `TextPattern`, to `Regexp` and as `pattern=`, in every module."""
    read = [(path, name, ast.parse(path.read_text(encoding="utf-8"))) for path, name in modules()]
    methods: dict[str, set[str]] = {}
    for _path, _name, tree in read:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
                held = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
                methods.setdefault(held, set()).add(node.attr)
    return [used for path, name, tree in read for used in _in_module(path, name, tree, methods)]


def _in_module(path: Path, name: str, tree: ast.Module, methods: dict[str, set[str]]) -> Iterator[Used]:
    where = str(path.relative_to(ROOT))
    names = {id(node.value): ast.unparse(node.targets[0]) for node in ast.walk(tree) if isinstance(node, ast.Assign)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        found = _pattern_of(call)
        if found is None or (where, ast.unparse(found[0])) in GIVEN:
            continue
        written, how, flags = found
        held = vars(importlib.import_module(name))
        text = eval(ast.unparse(written), held)  # our own source
        compiled = re.compile(text, eval(ast.unparse(flags), held) if flags else 0)
        called = methods.get(names.get(id(call), ""), set()) if how == "compile" else {how}
        anywhere = bool(called & set(PARTS)) or not called & set(WHOLE)
        yield Used(f"{where}:{call.lineno}", compiled, anywhere)


def _pattern_of(call: ast.Call) -> tuple[ast.expr, str, ast.expr | None] | None:
    """What is written as a pattern in a call, how it is used, and its flags."""
    called = call.func
    flags = next((word.value for word in call.keywords if word.arg == "flags"), None)
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re":
        if called.attr not in {"compile", *WHOLE, *PARTS} or not call.args:
            return None
        at = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(called.attr, 2)
        return call.args[0], called.attr, call.args[at] if len(call.args) > at else flags
    if isinstance(called, ast.Name) and called.id in {"TextPattern", "Regexp"} and call.args:
        return call.args[0], "fullmatch", None
    return next(((word.value, "match", None) for word in call.keywords if word.arg == "pattern"), None)


# --- hostile texts ----------------------------------------------------------------------------------------------

_OF_CLASS = {
    sre.CATEGORY_DIGIT: "1", sre.CATEGORY_SPACE: " \n\t", sre.CATEGORY_WORD: "a1_",
    sre.CATEGORY_NOT_DIGIT: "a", sre.CATEGORY_NOT_SPACE: "a", sre.CATEGORY_NOT_WORD: " .",
}  # fmt: skip
TRIED = 'a1 .-/\n\t\\"%=+,;:(@_Z\u2028\x01'


def _letters(op: Any, value: Any) -> str:
    """Some characters that one element of a pattern takes."""
    if op is sre.LITERAL:
        return chr(value)
    if op is sre.NOT_LITERAL:
        return "".join(c for c in TRIED if c != chr(value))[:3]
    if op is sre.ANY:
        return "a "
    if op is sre.CATEGORY:
        return _OF_CLASS.get(value, "a")
    if op is sre.RANGE:
        return chr(value[0])
    if op is sre.IN:
        if value[0][0] is sre.NEGATE:
            taken = set("".join(_letters(*one) for one in value[1:]))
            return "".join(c for c in TRIED if c not in taken)[:4]
        return "".join(_letters(*one) for one in value)
    return ""


def _parts(value: Any) -> list[Any]:
    """What stands within a group, a branch, an assertion."""
    if isinstance(value, _parser.SubPattern):
        return [value]
    if isinstance(value, tuple | list):
        return [part for one in value for part in _parts(one)]
    return []


def _sample(tree: Any, groups: dict[int, str]) -> str:
    """A short text that a sequence takes, as far as one can say without looking around."""
    told = ""
    for op, value in tree:
        if op in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
            told += _sample(value[2], groups) * min(max(value[0], 1), 50)
        elif op is sre.BRANCH:
            told += _sample(value[1][0], groups)
        elif op is sre.SUBPATTERN:
            groups[value[0]] = _sample(value[3], groups)
            told += groups[value[0]]
        elif op is sre.GROUPREF:
            told += groups.get(value, "")
        elif op is sre.ATOMIC_GROUP:
            told += _sample(value, groups)
        elif op not in {sre.ASSERT, sre.ASSERT_NOT, sre.AT}:
            told += _letters(op, value)[:1]
    return told


def hostile(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Each repeat's beginning, then what it repeats for ever, then what spoils it; nothing where none is there."""
    text = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    tree = _parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags)
    pumps, starts = set(TRIED[:12]), {"", "a", "1", "\n"}
    repeats: list[Any] = []

    def walk(part: Any, before: str) -> None:
        for at, (op, value) in enumerate(part):
            begun = before + _sample(part[:at], {})
            pumps.update(_letters(op, value))
            for inner in _parts(value):
                walk(inner, begun)
            if op in {sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT}:
                repeats.append(value)
                starts.add(begun[:100])
                pumps.add(_sample(value[2], {})[:100])
                if len(value[2]) == 1:
                    pumps.update(_letters(*value[2][0]))
                else:
                    pumps.add((_sample(value[2], {}) + "x")[:100])

    walk(tree, "")
    for pump in sorted(filter(None, pumps)) if repeats else ():
        for start in sorted(starts):
            yield start + pump * (LENGTH // len(pump)) + "\x01x"


def uses(used: Used) -> Callable[[Any], object]:
    """All that is looked for in a text."""
    return (lambda text: used.pattern.sub(text[:0], text)) if used.anywhere else used.pattern.match


def slow(try_all: Callable[[], object], seconds: float = 5) -> bool:
    """Whether it works longer than is patient, whatever else the machine does; `re` looks at signals meanwhile."""

    def over(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        try_all()
    except TimeoutError:
        return True
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return False


def too_slow() -> Iterator[str]:
    """The patterns that do not come to an end, each with what it was tried on."""
    for used in patterns():
        run = uses(used)
        for text in hostile(used.pattern):
            given = text.encode("utf-8", "replace") if isinstance(used.pattern.pattern, bytes) else text
            if slow(partial(run, given), SECONDS):
                yield f"{used.where}: {used.pattern.pattern!r} on {text[:40]!r}…"
                break


def main() -> int:
    warnings.simplefilter("ignore")
    sys.path.append(str(ROOT / "tools"))
    found = 0
    for told in too_slow():
        print(told, flush=True)
        found += 1
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
