"""Masking: third parties are hidden, operators are not, and the labelled set says how well."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.masking import KINDS, Masker, case_key, find, is_third_party, mask, token
from data.case import Case, CaseFacts, make_case

GOLD = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "gold" / "masking.jsonl").read_text(encoding="utf-8").splitlines()
]
KEY = b"k" * 32


def hidden_of(row: dict[str, Any]) -> tuple[int, int]:
    """Of the spans that must be hidden, how many are, and how many there are. Every letter and digit must be covered."""
    third = row["speaker"] == "third"
    own = [row["text"][span["start"] : span["end"]] for span in row["spans"] if span["kind"] == "operator"]
    found = find(row["text"], KEY, third_party=third, own=own)
    covered = {at for item in found for at in range(item.start, item.end)}
    spans = [span for span in row["spans"] if span["kind"] != "operator"]
    done = sum(
        all(at in covered for at in range(span["start"], span["end"]) if row["text"][at].isalnum()) for span in spans
    )
    return done, len(spans)


def test_the_labelled_set_is_large_and_names_every_kind() -> None:
    assert len(GOLD) >= 300
    kinds = {span["kind"] for row in GOLD for span in row["spans"]}
    assert kinds == {*KINDS, "operator"}


@pytest.mark.parametrize("split", ["dev", "held"])
def test_at_least_95_of_100_names_and_contacts_of_third_parties_are_hidden(split: str) -> None:
    pairs = [hidden_of(row) for row in GOLD if row["split"] == split]
    assert sum(done for done, _ in pairs) / sum(count for _, count in pairs) >= 0.95


def test_precision_is_at_least_85_of_100() -> None:
    right = wrong = 0
    for row in GOLD:
        own = [row["text"][s["start"] : s["end"]] for s in row["spans"] if s["kind"] == "operator"]
        for item in find(row["text"], KEY, third_party=row["speaker"] == "third", own=own):
            meets = any(
                item.start < span["end"] and span["start"] < item.end and span["kind"] != "operator"
                for span in row["spans"]
            )
            right, wrong = right + meets, wrong + (not meets)
    assert right / (right + wrong) >= 0.85


def test_what_the_operator_says_of_itself_stays_as_it_is() -> None:
    for row in GOLD:
        if row["speaker"] == "operator":
            own = [row["text"][s["start"] : s["end"]] for s in row["spans"]]
            assert mask(row["text"], KEY, third_party=False, own=own) == row["text"]


def test_the_address_of_a_customer_is_hidden_and_that_of_the_operator_is_not_even_in_one_sentence() -> None:
    text = "Write to help@quillobrite.example or ask ute@postbag.example."
    masked = mask(text, KEY, third_party=False, own=["quillobrite.example"])
    assert "help@quillobrite.example" in masked
    assert "postbag" not in masked


def test_the_same_person_has_the_same_token_within_a_case_and_another_in_the_next() -> None:
    assert token(KEY, "name", "Ottilie Brandt") == token(KEY, "name", "ottilie  brandt")
    assert token(KEY, "phone", "+44 7700 900123") == token(KEY, "phone", "+44-7700-900-123")
    assert token(KEY, "name", "Ottilie Brandt") != token(b"x" * 32, "name", "Ottilie Brandt")
    assert token(KEY, "name", "Ottilie").startswith("[name:")


@pytest.mark.parametrize(
    ("stances", "role", "heading", "passage", "third"),
    [
        (["TESTI"], "home", "", "So quick.", True),
        (["USER"], "listing", "", "Crashes.", True),
        ([], "forum", "", "hi all", True),
        ([], "home", "What our customers say", "Anna", True),
        ([], "home", "", "“So easy!” — Lotte", True),
        ([], "listing", "", "★★★★★ Ove", True),
        (["PROMO"], "contact", "Imprint", "Director: Edmund Farrow", False),
    ],
)
def test_who_speaks_is_read_from_stance_page_heading_and_quotation_marks(
    stances: list[str], role: str, heading: str, passage: str, third: bool
) -> None:
    assert is_third_party(stances, role, heading, passage) is third


def test_the_key_is_made_once_is_private_and_its_hash_is_on_the_ledger(tmp_path: Path) -> None:
    case: Case = make_case(tmp_path / "case", CaseFacts(title="T"))
    key = case_key(case)
    assert case_key(case) == key
    assert (case.root / "masking.key").stat().st_mode & 0o077 == 0
    assert len(list(case.ledger.events("masking.key_made"))) == 1
    assert key.hex() not in case.ledger.path.read_text()


@given(st.text(max_size=200))
def test_no_text_breaks_it_and_what_is_found_lies_in_the_text_without_overlap(text: str) -> None:
    found = find(text, KEY, third_party=True)
    assert all(0 <= item.start < item.end <= len(text) for item in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    Masker(KEY)(text)
