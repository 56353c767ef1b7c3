"""Canonical JSON: the same bytes as the reference, for everything a record may hold."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from data.canonical import canonical

keys = st.text(st.characters(max_codepoint=127), max_size=8)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
numbers = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=30,
)


@given(values)
def test_it_writes_what_the_reference_implementation_of_rfc_8785_writes(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [1.5, {"a": [0.0]}, {"ä": 1}, {1: "a"}])
def test_what_it_cannot_write_identically_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        canonical("\ud800")
