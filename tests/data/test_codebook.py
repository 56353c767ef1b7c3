"""The codebook and the law tables are complete, well formed, and say what the design promises."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import data.codebook
from data.codebook import (
    MINIMUM_EXAMPLES,
    CodebookError,
    lint_codebook,
    load_codebook,
    load_practice,
    read_example,
)
from data.law import lint_law, load_law

CODEBOOK = load_codebook()


def test_all_thirty_four_codes_and_eleven_stances_are_defined() -> None:
    assert len(CODEBOOK.codes) == 34
    assert len(CODEBOOK.stances) == 11
    assert len(CODEBOOK.clauses) == 8


def test_only_promo_testi_and_ui_raise_flags() -> None:
    assert CODEBOOK.flag_stances == {"PROMO", "TESTI", "UI"}


def test_only_the_minor_code_is_a_referral() -> None:
    assert CODEBOOK.referral_codes == {"M01"}


def test_facts_are_marked_as_facts() -> None:
    assert {code.id for code in CODEBOOK.codes if code.kind == "fact"} == {"R05", "E01", "E02", "E03", "E04"}


def test_the_codebook_and_the_law_have_no_fault() -> None:
    law = load_law()
    assert lint_codebook(CODEBOOK, frozenset(law.hooks)) == []
    assert lint_law(law) == []


@pytest.mark.parametrize("code", CODEBOOK.codes, ids=lambda code: code.id)
def test_every_code_has_examples_on_both_sides(code: data.codebook.Code) -> None:
    assert len(code.positive) >= MINIMUM_EXAMPLES
    assert len(code.confusing) >= MINIMUM_EXAMPLES
    assert code.rules


def test_an_example_line_gives_text_context_and_marks() -> None:
    example = read_example("faq|Is it free?|| {PROMO Yes.} {D04.DISCLAIM Kept for 30 days.}", "D02")
    assert (example.page_role, example.heading, example.list_intro) == ("faq", "Is it free?", "")
    assert example.text == "Yes. Kept for 30 days."
    assert [(m.code, m.stance, example.text[m.start : m.end]) for m in example.marks] == [
        ("D02", "PROMO", "Yes."),
        ("D04", "DISCLAIM", "Kept for 30 days."),
    ]


def test_marks_may_nest() -> None:
    example = read_example("{R01.TESTI “{D01.TESTI So real,} wow.” – Al}")
    assert {(m.code, example.text[m.start : m.end]) for m in example.marks} == {
        ("R01", "“So real, wow.” – Al"),
        ("D01", "So real,"),
    }


def test_a_brace_that_is_not_closed_is_named() -> None:
    with pytest.raises(CodebookError, match="brace is not closed"):
        read_example("{PROMO never closed", "D02")


def test_the_hash_is_the_same_for_the_same_content_and_layout_does_not_matter(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    assert load_codebook(copy).sha256 == CODEBOOK.sha256
    file = copy / "minors.toml"
    file.write_text("# a note\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_codebook(copy).sha256 == CODEBOOK.sha256


def test_a_changed_pattern_changes_the_hash(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    file = copy / "deception.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('"feel free"', '"feel quite free"', 1), encoding="utf-8")
    assert load_codebook(copy).sha256 != CODEBOOK.sha256


def test_broken_toml_is_named_by_file(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    (copy / "minors.toml").write_text("theory = [", encoding="utf-8")
    with pytest.raises(CodebookError, match=r"minors\.toml"):
        load_codebook(copy)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ('hooks = ["deception", "substantiation"]', 'hooks = ["no-such-row"]', "no law row 'no-such-row'"),
        ('kind = "claim"', 'kind = "verdict"', "kind 'verdict'"),
        ('id = "D01.real"', 'id = "D01.cannot-tell"', "rule id used twice"),
        ("{result} <4> photorealistic", "{nonsense} <4> photorealistic", "no word family 'nonsense'"),
        ("ad||| {PROMO Undetectable", "ad||| {BOAST Undetectable", "no known stance 'BOAST'"),
    ],
)
def test_lint_names_each_kind_of_fault(tmp_path: Path, before: str, after: str, fault: str) -> None:
    copy = _copy(tmp_path)
    file = copy / "deception.toml"
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after, 1), encoding="utf-8")
    faults = lint_codebook(load_codebook(copy), frozenset(load_law().hooks))
    assert any(fault in line for line in faults)


def test_practice_sentences_name_only_known_codes_and_stances() -> None:
    examples = load_practice()
    assert len(examples) > 1500
    for example in examples:
        for mark in example.marks:
            assert mark.code in CODEBOOK.code_ids
            assert mark.stance in CODEBOOK.stance_ids
            assert example.text[mark.start : mark.end].strip()


def test_a_bad_practice_line_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_text("# D01\n@nowhere\n", encoding="utf-8")
    with pytest.raises(CodebookError, match=r"odd\.txt, line 2: no page role 'nowhere'"):
        load_practice(tmp_path)


def test_every_law_row_is_dated_and_says_how_it_was_checked() -> None:
    for hook in load_law().hooks.values():
        assert hook.as_of.year >= 2026
        assert hook.caution
        assert hook.routes


def test_referral_routes_carry_names_but_no_links() -> None:
    law = load_law()
    assert {"cybertipline", "fbi", "iwf", "nca", "esafety", "takeitdown-ftc", "stopncii"} <= set(law.referrals)
    for route in law.referrals.values():
        assert "http" not in f"{route.name}{route.body}{route.for_whom}{route.note}"


def _copy(tmp_path: Path) -> Path:
    target = tmp_path / "codebook"
    shutil.copytree(data.codebook.HERE, target, ignore=shutil.ignore_patterns("*.py", "__pycache__", "practice"))
    return target
