"""The claims pipeline: which code, which stance, at which words, the same every time, whatever the text."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.claims import Claims, Label, Reading
from data.codebook import PAGE_ROLES, load_codebook

FLAGS = load_codebook().flag_stances


def read(
    claims: Claims, text: str, heading: str = "", list_intro: str = "", page_role: str = "home"
) -> tuple[Label, ...]:
    return next(claims.read([Reading(text, heading, list_intro, page_role)]))


def pairs(labels: tuple[Label, ...]) -> set[tuple[str, str]]:
    return {(label.code, label.stance) for label in labels}


@pytest.mark.parametrize(
    ("text", "page_role", "code"),
    [
        ("We never store your photos on our servers.", "home", "D04"),
        ("Works on anyone, no permission needed.", "home", "U01"),
        ("They will never know.", "home", "U03"),
        ("All sales are final. No refunds under any circumstances.", "terms", "N02"),
        ("100% legal in every country.", "home", "D06"),
        ("No filters, no rules, nothing is refused.", "home", "U04"),
        ("Earn 40% commission on every sale you bring.", "affiliate", "R05"),
        ("If this address is blocked, use our mirror.", "home", "E01"),
    ],
)
def test_a_plain_promotion_raises_its_code(claims: Claims, text: str, page_role: str, code: str) -> None:
    assert any(label.code == code and label.stance in FLAGS for label in read(claims, text, page_role=page_role))


@pytest.mark.parametrize(
    ("text", "page_role"),
    [
        ("You can delete your photos at any time in Settings.", "help"),
        ("We will never ask for your password.", "help"),
        ("Support replies within 48 hours.", "contact"),
        ("Forty photo filters, from sepia to neon.", "listing"),
        ("Remove item from cart", "other"),
        ("Basic $5, Plus $9, Pro $19 per month, taxes included.", "pricing"),
        ("Checking your browser before you continue.", "other"),
        ("The museum reopens on Sunday after three years of building work.", "news"),
    ],
)
def test_a_look_alike_raises_nothing(claims: Claims, text: str, page_role: str) -> None:
    assert not [label for label in read(claims, text, page_role=page_role) if label.stance in FLAGS]


def test_a_list_item_takes_the_stance_of_its_intro(claims: Claims) -> None:
    item = "images of people who have not agreed"
    labels = read(claims, item, "Prohibited content", "You may not upload:", "terms")
    assert ("U01", "PROHIB") in pairs(labels)
    assert not any(label.stance in FLAGS for label in labels)


def test_the_answer_sets_the_stance_of_a_question(claims: Claims) -> None:
    assert ("D06", "PROMO") in pairs(read(claims, "Yes, completely.", "Is it legal?", page_role="faq"))
    limited = read(claims, "That depends where you live; check your local law.", "Is it legal?", page_role="faq")
    assert pairs(limited) == {("D06", "DISCLAIM")}


def test_the_same_words_change_stance_with_the_speaker(claims: Claims) -> None:
    said = "The tool has no filters at all."
    assert any(label.stance == "PROMO" for label in read(claims, said, page_role="home"))
    reported = read(claims, "The tool has no filters at all, researchers warned.", page_role="news")
    assert reported
    assert all(label.stance == "REPORTED" for label in reported)


def test_disguised_text_is_read_and_the_span_is_in_the_original(claims: Claims) -> None:
    text = "W3 n3v3r st0re y0ur ph\u200bot\u00ados!"
    labels = [label for label in read(claims, text) if label.code == "D04"]
    assert labels
    assert "ph\u200bot" in text[labels[0].start : labels[0].end]


def test_a_reference_to_minors_is_found_in_promotion(claims: Claims) -> None:
    labels = read(claims, "Works with photos of classmates.")
    assert any(label.code == "M01" and label.stance in FLAGS for label in labels)


def test_every_label_names_a_code_a_stance_a_span_and_who_saw_it(claims: Claims) -> None:
    codebook = load_codebook()
    rules = {rule.id for code in codebook.codes for rule in code.rules}
    for _, example in codebook.examples():
        for label in read(claims, example.text, example.heading, example.list_intro, example.page_role):
            assert label.code in codebook.code_ids
            assert label.stance in codebook.stance_ids
            assert 0 <= label.start < label.end <= len(example.text)
            assert example.text[label.start : label.end].strip() == example.text[label.start : label.end]
            assert 0.0 < label.confidence < 1.0
            assert label.rule == "reader" or label.rule in rules


def test_nine_of_ten_examples_of_the_codebook_are_read_as_written(claims: Claims) -> None:
    examples = list(load_codebook().examples())
    readings = [Reading(e.text, e.heading, e.list_intro, e.page_role) for _, e in examples]
    right = 0
    for (code, example), labels in zip(examples, claims.read(readings), strict=True):
        expected = {m.stance for m in example.marks if m.code == code.id}
        right += expected == {label.stance for label in labels if label.code == code.id}
    assert right / len(examples) >= 0.9


def test_two_runs_and_any_batching_give_identical_labels(claims: Claims) -> None:
    readings = [Reading(e.text, e.heading, e.list_intro, e.page_role) for _, e in load_codebook().examples()][:120]
    first = list(claims.read(readings))
    assert first == list(claims.read(readings, batch_size=7))
    order = list(range(len(readings)))
    random.Random(5).shuffle(order)
    shuffled = list(claims.read([readings[n] for n in order]))
    assert [first[n] for n in order] == shuffled


def test_the_hashes_name_the_codebook_and_the_model(claims: Claims) -> None:
    assert claims.codebook_sha256 == load_codebook().sha256
    assert len(claims.model_sha256) == 64
    assert Claims.load().model_sha256 == claims.model_sha256


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.text(max_size=40), st.sampled_from(PAGE_ROLES))
def test_no_text_ever_raises(claims: Claims, text: str, heading: str, page_role: str) -> None:
    for label in read(claims, text, heading, page_role=page_role):
        assert 0 <= label.start < label.end <= len(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "a" * 50_000,
        "free " * 5_000,
        "🙂" * 500,
        "no logs\n" * 300,
        "\u200b" * 100,
        "{PROMO x",
    ],
)
def test_odd_text_is_read_without_error(claims: Claims, text: str) -> None:
    for label in read(claims, text):
        assert 0 <= label.start < label.end <= len(text)


def test_a_claim_deep_in_a_long_passage_is_found(claims: Claims) -> None:
    filler = "The harbour was quiet and the boats lay still in the morning light. " * 40
    labels = read(claims, filler + "We never store your photos on our servers." + filler[:300])
    found = [label for label in labels if label.code == "D04"]
    assert found
    assert found[0].start >= len(filler) - 80
