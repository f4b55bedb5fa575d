"""What is no small DER is told before a parser of it is asked."""

from __future__ import annotations

import pytest

from app.outbound.der import is_small
from tests.proof.test_verify_page import hostile_seals


@pytest.mark.parametrize("name", hostile_seals())
def test_what_would_keep_a_parser_busy_is_told(name: str) -> None:
    assert not is_small(hostile_seals()[name])


def test_the_smallest_are_small_and_half_of_one_is_none() -> None:
    assert is_small(b"") and is_small(b"\x05\x00") and not is_small(b"\x05") and not is_small(b"\x05\x00\x30")
