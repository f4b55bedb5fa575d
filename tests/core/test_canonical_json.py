"""The bytes that are committed to are RFC 8785's, as an independent implementation writes them."""

from __future__ import annotations

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from app.core.canonical_json import EXACT, canonical

names = st.text(st.characters(codec="ascii"), max_size=12)
texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.none() | st.booleans() | texts | st.integers(-EXACT, EXACT)
values = st.recursive(plain, lambda held: st.lists(held) | st.dictionaries(names, held), max_leaves=30)


@given(values)
def test_bytes_are_those_of_the_standard(value):
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), EXACT + 1, {"ș": 1}, {1: 1}, {"a": b"x"}, ["\ud800"], {"a": {"b": 0.0}}, [1, [1.5]], (1.5,)],
)
def test_what_the_rules_do_not_cover_is_refused(value):
    with pytest.raises(ValueError):
        canonical(value)


def test_order_and_escapes_of_the_standards_own_example():
    value = {"b": '€$\u000f\nA\'B"\\\\"/', "a": [56, None, True], "B": {}}
    assert canonical(value) == b'{"B":{},"a":[56,null,true],"b":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
