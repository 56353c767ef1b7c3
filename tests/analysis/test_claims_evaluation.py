"""Scores are what their descriptions say, checked against figures worked out by hand."""

from __future__ import annotations

import pytest

from analysis.claims import Label
from analysis.clauses import evaluate_clauses
from analysis.evaluation import evaluate, pairs_told_apart

FLAGS = frozenset({"PROMO", "TESTI", "UI"})


def label(code: str, stance: str, start: int = 0, end: int = 10, confidence: float = 0.9) -> Label:
    return Label(code, stance, start, end, confidence, "test")


def test_codes_flags_and_stances_are_counted_once_a_passage() -> None:
    gold = [[label("D01", "PROMO")], [label("D02", "DISCLAIM")], [], [label("D01", "REPORTED")]]
    read = [[label("D01", "PROMO")], [label("D02", "PROMO")], [label("D01", "UI")], []]
    result = evaluate(gold, read, FLAGS)
    assert (result.codes["D01"].right, result.codes["D01"].extra, result.codes["D01"].missed) == (1, 1, 1)
    assert result.codes["D02"].f1 == 1.0
    assert result.macro_f1 == pytest.approx((0.5 + 1.0) / 2)
    assert (result.flags.right, result.flags.extra, result.flags.missed) == (1, 2, 0)
    assert result.stance_accuracy == pytest.approx(0.5)
    assert result.confusion[("DISCLAIM", "PROMO")] == 1
    assert [miss.index for miss in result.misses] == [1, 2, 3]


def test_span_overlap_is_intersection_over_union() -> None:
    result = evaluate([[label("D01", "PROMO", 0, 10)]], [[label("D01", "PROMO", 5, 15)]], FLAGS)
    assert result.span_iou == pytest.approx(5 / 15)
    assert result.span_half == 0.0


def test_two_stances_of_one_code_share_the_agreement() -> None:
    gold = [[label("D04", "PROMO", 0, 5), label("D04", "DISCLAIM", 6, 12)]]
    result = evaluate(gold, [[label("D04", "PROMO", 0, 5)]], FLAGS)
    assert result.stance_accuracy == pytest.approx(0.5)


def test_calibration_error_is_the_gap_between_confidence_and_share_right() -> None:
    gold = [[label("D01", "PROMO")], []]
    read = [[label("D01", "PROMO", confidence=0.95)], [label("D01", "PROMO", confidence=0.95)]]
    assert evaluate(gold, read, FLAGS).calibration_error == pytest.approx(0.45)


def test_figures_without_a_denominator_are_zero() -> None:
    result = evaluate([], [], FLAGS)
    assert (result.macro_f1, result.flags.precision, result.stance_accuracy, result.span_iou) == (0.0, 0.0, 0.0, 0.0)


def test_gold_and_prediction_must_be_as_long_as_each_other() -> None:
    with pytest.raises(ValueError, match="zip"):
        evaluate([[]], [], FLAGS)


def test_a_pair_is_told_apart_by_the_right_flag_on_one_side_and_silence_on_the_other() -> None:
    gold = [[label("U01", "PROMO")], [label("U01", "PROHIB")], [label("U01", "PROMO")], []]
    read = [[label("U01", "PROMO")], [label("U01", "PROHIB")], [label("D01", "PROMO")], [label("U01", "PROMO")]]
    assert pairs_told_apart(["1", "1", "2", "2"], gold, read, FLAGS) == {"1": (2, 2), "2": (0, 2)}


def test_clauses_are_scored_with_none_as_a_further_class() -> None:
    gold = [frozenset({"a"}), frozenset(), frozenset({"b"})]
    read = [frozenset({"a"}), frozenset(), frozenset()]
    scores = evaluate_clauses(gold, read, ["a", "b"])
    assert scores.f1 == {"a": 1.0, "b": 0.0, "none": pytest.approx(2 / 3)}
    assert scores.macro == pytest.approx((1 + 0 + 2 / 3) / 3)
