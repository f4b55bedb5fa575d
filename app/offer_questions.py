"""What is asked rather than refused: a mistyped domain, a doubtful number, an amount that could be another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """Shown beside a field; ticking `key` answers it for exactly this value."""

    text: str
    confirm_label: str
    key: str
    suggestion: str | None = None
