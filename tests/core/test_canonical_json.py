"""The bytes that are committed to are RFC 8785's, as an independent implementation writes them."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.core.canonical_json import EXACT, SMALLEST, canonical

names = st.text(st.characters(codec="ascii"), max_size=12)
texts = st.text(st.characters(exclude_categories=["Cs"]))
fractions = st.floats(SMALLEST, EXACT).filter(lambda n: not n.is_integer())
fractions |= st.integers(-(10**13), 10**13).filter(lambda n: n % 100).map(lambda n: n / 100)  # as areas are kept
plain = st.none() | st.booleans() | texts | st.integers(-EXACT, EXACT) | fractions
values = st.recursive(plain, lambda held: st.lists(held) | st.dictionaries(names, held), max_leaves=30)


@given(values)
def test_bytes_are_those_of_the_standard(value):
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        72.0, -0.0, 1e300, float("nan"), float("-inf"), SMALLEST / 2, EXACT + 1, {"ș": 1}, {1: 1}, {"a": b"x"},
        ["\ud800"], {"a": {"b": 0.0}}, [1, [2.0]], (1e-7,),
    ],
)  # fmt: skip
def test_what_the_rules_do_not_cover_is_refused(value):
    with pytest.raises(ValueError):
        canonical(value)


def test_order_and_escapes_of_the_standards_own_example():
    assert canonical([333333333.3333333, 4.5, -72.45, 0.002]) == b"[333333333.3333333,4.5,-72.45,0.002]"
    value = {"b": '€$\u000f\nA\'B"\\\\"/', "a": [56, None, True], "B": {}}
    assert canonical(value) == b'{"B":{},"a":[56,null,true],"b":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
