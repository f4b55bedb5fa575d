"""Names that stand one after another in memory are found each by itself, and only by what it holds."""

from __future__ import annotations

import random
import threading

import pytest

from app.core.ids import new_id
from app.offers.list import names
from app.offers.list.names import LINES, CachedNames, NameCache, NameLine


@pytest.mark.parametrize("seed", range(5))
def test_a_word_is_found_where_it_is_and_never_across_two_names(seed: int) -> None:
    pick = random.Random(seed)
    for _ in range(100):
        texts = ["".join(pick.choice("ab ") for _ in range(pick.randint(0, 6))) for _ in range(pick.randint(0, 8))]
        folded = {number: " ".join(text.split()).encode() for number, text in enumerate(texts)}
        word = "".join(pick.choice("ab") for _ in range(pick.randint(1, 3))).encode()
        wanted = [number for number, name in folded.items() if word in name]
        assert list(NameLine.of(folded).holding(word)) == wanted


def test_what_comes_in_later_is_found_too_however_often() -> None:
    held = CachedNames(0, {0: b"ana pop"}, (NameLine.of({0: b"ana pop"}),))
    for number in range(1, 3 * LINES):
        held = held.with_more(number, {number: b"ana ionescu"} if number % 2 else {})
        found = {one for line in held.lines for one in line.holding(b"ana")}
        assert found == set(held.names) == {0, *range(1, number + 1, 2)} and held.seq == number
        assert len(held.lines) <= LINES and not [*held.lines[-1].holding(b"pop ana")]


def test_one_thread_waits_until_nobody_searches_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    at, waits, cache, agency = [100.0], [], NameCache(), new_id()
    monkeypatch.setattr(names.time, "monotonic", lambda: at[0])
    monkeypatch.setattr(threading.Timer, "start", lambda timer: waits.append(timer.interval))
    held = CachedNames(0, {}, ())
    for _ in range(5):
        cache.keep(agency, held)
        at[0] += 10
    assert waits == [names.KEPT]
    at[0] = 100 + names.KEPT
    cache._ended()
    assert waits == [names.KEPT, 40] and cache.of(agency) is held
    at[0] += 40
    cache._ended()
    assert cache.of(agency) is None and len(waits) == 2
    cache.keep(agency, held)
    assert waits[2:] == [names.KEPT] and cache.of(agency) is held
