"""A macro rendered once, with a hole for each value: what very many rows have in common is not made anew for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from markupsafe import Markup, escape

_MARK = "\ue000"  # private to us: Unicode gives it no meaning, and no template of ours has it
_END = "\0"  # ends each value where many are escaped in one call


class Layout:
    """Markup with holes. A macro may place a value, and not ask what it is: whoever fills the holes decides."""

    def __init__(self, macro: Callable[..., str], names: Sequence[str], **fixed: Any) -> None:
        laid_out = str(macro(**{name: Markup(f"{_MARK}{name}{_MARK}") for name in names}, **fixed))  # noqa: S704  # nosec B704  our own
        first, *rest = laid_out.split(_MARK)
        holes, texts = rest[::2], [first, *rest[1::2]]
        if unknown := set(holes) - set(names):
            raise TypeError(f"holes that nobody fills: {unknown}")
        self._text = "%s".join(text.replace("%", "%%") for text in texts)
        places = [names.index(hole) for hole in holes]
        self._placed: Callable[[Sequence[str]], tuple[str, ...]] = (
            itemgetter(*places) if len(places) > 1 else lambda values: tuple(values[place] for place in places)
        )

    def filled(self, values: Sequence[str]) -> str:
        """With these values in the order of the names; each has been escaped."""
        return self._text % self._placed(values)


def escaped(values: Sequence[str]) -> list[str]:
    """Each of many values, escaped: in one call, since a call costs more than a value."""
    found = str(escape(_END.join(values))).split(_END)
    return found if len(found) == len(values) else [str(escape(value)) for value in values]
