"""The clause layer: sentences of terms pages, the types they carry, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.clauses import GRAMS, Clauses, grams, weighted


@pytest.fixture(scope="module")
def clauses() -> Clauses:
    found = Clauses.load()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("sentence", "clause"),
    [
        (
            "You agree that any dispute shall be settled by binding arbitration on an individual basis.",
            "clause.arbitration",
        ),
        ("These terms are governed by the laws of the State of New York.", "clause.choice-of-law"),
        (
            "We may terminate or suspend your account at any time, for any reason, without notice.",
            "clause.unilateral-termination",
        ),
        (
            "In no event shall we be liable for any indirect, incidental or consequential damages.",
            "clause.limitation-of-liability",
        ),
    ],
)
def test_a_plain_clause_is_read(clauses: Clauses, sentence: str, clause: str) -> None:
    assert clause in clauses.read_sentence(sentence)


def test_an_ordinary_sentence_carries_none(clauses: Clauses) -> None:
    assert clauses.read_sentence("Our service lets you listen to music on all of your devices.") == ()


def test_labels_stand_at_their_sentence(clauses: Clauses) -> None:
    text = "Welcome to our service. These terms are governed by the laws of France."
    (labels,) = clauses.read([text])
    assert {text[label.start : label.end] for label in labels} == {"These terms are governed by the laws of France."}


def test_each_part_of_the_n_grams_has_length_one() -> None:
    places, values = weighted(grams("the laws of the state"), np.ones(2 * GRAMS, dtype=np.float32))
    for part in (values[places < GRAMS], values[places >= GRAMS]):
        assert float((part * part).sum()) == pytest.approx(1.0, abs=1e-5)


def test_a_sentence_without_words_has_no_n_grams_and_no_clause(clauses: Clauses) -> None:
    assert grams("...") == ({}, {})
    assert clauses.read_sentence("...") == ()
