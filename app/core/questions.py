"""What is asked rather than refused: a mistyped domain, a doubtful number, an amount that could be another."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.datastructures import MultiDict


@dataclass(frozen=True, slots=True)
class Meaning:
    """One of several meanings, to choose by its `key`."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class Question:
    """Shown beside a field; ticking `key` answers it for exactly this value.

    With `others` it has several answers, of which one is chosen.
    """

    text: str
    confirm_label: str
    key: str
    suggestion: str | None = None
    others: tuple[Meaning, ...] = ()

    @property
    def answers(self) -> tuple[Meaning, ...]:
        return (Meaning(self.key, self.confirm_label), *self.others)


def answered(form: MultiDict[str, str]) -> list[str]:
    """The keys that were ticked, and those that were chosen among several."""
    return [key for name in form if name.partition(".")[0] == "confirmed" for key in form.getlist(name)]
