"""The gate in front of the reader: cheap, the same in any company, and blind to nothing that plainly claims."""

from __future__ import annotations

import math
import statistics

import pytest

from analysis.claims import Claims, Reading
from analysis.gate import Gate

ORDINARY = (
    "Home",
    "Add to cart",
    "Opening hours",
    "Our office is closed on public holidays.",
    "The function returns the number of rows.",
    "Read the documentation",
    "Sizes 36 to 44, in black and blue.",
    "The museum was founded in 1904 by two sisters.",
    "Print this page",
    "Prices include VAT and delivery.",
)
CLAIMING = (
    "No permission needed, works on anyone.",
    "We delete every photo at once and keep no logs.",
    "All sales are final.",
    "Completely free, no catch.",
    "They will never find out.",
)


@pytest.fixture(scope="module")
def gate() -> Gate:
    found = Gate.load()
    assert found is not None
    return found


def test_text_without_words_is_never_read(gate: Gate) -> None:
    assert gate.scores(["", "   "], [("home", "", "")] * 2) == [-math.inf, -math.inf]


def test_a_score_does_not_depend_on_the_company(gate: Gate) -> None:
    texts = [text.lower() for text in (*ORDINARY, *CLAIMING)]
    together = gate.scores(texts, [("home", "", "")] * len(texts))
    assert together == [gate.scores([text], [("home", "", "")])[0] for text in texts]


def test_claims_pass_and_most_ordinary_words_are_not_even_matched_with_rules(gate: Gate) -> None:
    claiming = gate.scores([text.lower() for text in CLAIMING], [("home", "", "")] * len(CLAIMING))
    ordinary = gate.scores([text.lower() for text in ORDINARY], [("home", "", "")] * len(ORDINARY))
    assert min(claiming) >= gate.high
    assert statistics.median(ordinary) < gate.low


def test_an_unknown_page_role_is_read_like_other(gate: Gate) -> None:
    words = ["no refunds"]
    assert gate.scores(words, [("elsewhere", "", "")]) == gate.scores(words, [("other", "", "")])


def test_a_passage_met_before_gets_the_same_labels(claims: Claims) -> None:
    readings = [Reading("All sales are final.", page_role="terms"), Reading("Home"), Reading("All sales are final.")]
    first = list(claims.read([*readings, *readings]))
    assert first[:3] == first[3:] == list(claims.read(readings))
