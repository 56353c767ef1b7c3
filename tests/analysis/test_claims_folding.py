"""Folding: disguised text is heard as it is meant, and every place still points into the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.folding import fold


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("N0 l0gs, n3ver st0red", "no logs, never stored"),
        ("FR33 f0rever", "free forever"),
        ("f r e e", "free"),
        ("f.r.e.e", "free"),
        ("fr\u200bee pho\u00adtos", "free photos"),
        ("frее", "free"),
        ("ＦＲＥＥ", "free"),
        ("𝐟𝐫𝐞𝐞", "free"),
        ("frée", "free"),
        ("“won’t” – ever…", '"won\'t" - ever.'),
    ],
)
def test_disguised_words_are_heard(written: str, heard: str) -> None:
    assert fold(written).text == heard


@pytest.mark.parametrize("plain", ["24h", "18+", "mp3", "4k", "ISO 27001", "a 3 b 4", "$5", "v2.0"])
def test_ordinary_digits_and_initials_are_left_alone(plain: str) -> None:
    assert fold(plain).text == plain.lower()


def test_a_span_of_the_folded_text_points_into_the_original() -> None:
    written = "Yes: N\u200b0 l0gs at a\u00adll, ever"
    folded = fold(written)
    start = folded.text.index("no logs at all")
    assert written[slice(*folded.original(start, start + len("no logs at all")))] == "N\u200b0 l0gs at a\u00adll"


@given(st.text(max_size=200))
def test_any_text_folds_and_every_span_maps_inside_it(text: str) -> None:
    folded = fold(text)
    for start in range(0, len(folded.text), 7):
        for end in range(start + 1, len(folded.text) + 1, 11):
            first, last = folded.original(start, end)
            assert 0 <= first < last <= len(text)


@given(st.text(alphabet="abc 013@$.-\u200b\u00adеА\u0301", max_size=60))
def test_tricks_packed_together_never_break_folding(text: str) -> None:
    folded = fold(text)
    assert folded.origin is None or len(folded.origin) == len(folded.text)
