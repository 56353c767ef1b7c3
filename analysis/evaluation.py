"""Scores of labels against gold: codes, stances, flags, spans, calibration.

Codes are scored once a passage. Macro-F1 is over the codes that occur in the gold. Stance accuracy is over codes that
gold and prediction share in a passage (the stances of that code must agree; where there are several, the share that
does). Span overlap is the intersection over union of characters of the shared codes. Calibration is the expected
calibration error over ten bins of confidence, a prediction being right when the code is in the gold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from analysis.claims import Label


@dataclass(frozen=True, slots=True)
class Score:
    """Counts with the figures that follow from them; a figure without a denominator is 0."""

    right: int
    extra: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.extra) if self.right + self.extra else 0.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.right / (2 * self.right + self.extra + self.missed) if self.right else 0.0


@dataclass(frozen=True, slots=True)
class Miss:
    """A passage on which gold and prediction differ; ``kind`` is ``code``, ``stance`` or ``both``."""

    index: int
    kind: str
    missed: tuple[str, ...]
    extra: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one run."""

    passages: int
    codes: dict[str, Score]
    stances: dict[str, Score]
    flags: Score
    macro_f1: float
    micro: Score
    stance_accuracy: float
    shared_codes: int
    span_iou: float
    span_half: float
    exact_passages: float
    calibration: tuple[tuple[float, float, float, int], ...]
    calibration_error: float
    confusion: dict[tuple[str, str], int]
    misses: tuple[Miss, ...] = field(repr=False, default=())


def _characters(labels: Sequence[Label]) -> set[int]:
    return {at for label in labels for at in range(label.start, label.end)}


def evaluate(
    gold: Sequence[Sequence[Label]], predicted: Sequence[Sequence[Label]], flag_stances: frozenset[str]
) -> Evaluation:
    """Score ``predicted`` against ``gold``, passage by passage. Raises ValueError if the lengths differ."""
    codes: dict[str, Counter[str]] = defaultdict(Counter)
    stances: dict[str, Counter[str]] = defaultdict(Counter)
    flags: Counter[str] = Counter()
    confusion: Counter[tuple[str, str]] = Counter()
    agreement = overlap = 0.0
    half = shared_count = exact = 0
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(10)]
    misses: list[Miss] = []
    for index, (truth, guess) in enumerate(zip(gold, predicted, strict=True)):
        true_codes = {label.code for label in truth}
        guessed_codes = {label.code for label in guess}
        for code in true_codes | guessed_codes:
            key = "right" if code in true_codes & guessed_codes else "extra" if code in guessed_codes else "missed"
            codes[code][key] += 1
        true_pairs = {(label.code, label.stance) for label in truth}
        guessed_pairs = {(label.code, label.stance) for label in guess}
        for code, stance in true_pairs | guessed_pairs:
            pair = (code, stance)
            key = "right" if pair in true_pairs & guessed_pairs else "extra" if pair in guessed_pairs else "missed"
            stances[stance][key] += 1
        raised = any(label.stance in flag_stances for label in truth)
        raises = any(label.stance in flag_stances for label in guess)
        flags["right" if raised and raises else "extra" if raises else "missed" if raised else "quiet"] += 1
        for code in sorted(true_codes & guessed_codes):
            true_stances = {stance for c, stance in true_pairs if c == code}
            guessed_stances = {stance for c, stance in guessed_pairs if c == code}
            agreement += len(true_stances & guessed_stances) / len(true_stances | guessed_stances)
            if len(true_stances) == 1 and len(guessed_stances) == 1:
                confusion[(next(iter(true_stances)), next(iter(guessed_stances)))] += 1
            a = _characters([label for label in truth if label.code == code])
            b = _characters([label for label in guess if label.code == code])
            iou = len(a & b) / len(a | b) if a | b else 0.0
            overlap += iou
            half += iou >= 0.5
            shared_count += 1
        for label in guess:
            bins[min(9, int(label.confidence * 10))].append((label.confidence, label.code in true_codes))
        if true_pairs == guessed_pairs:
            exact += 1
        else:
            same_codes = true_codes == guessed_codes
            misses.append(
                Miss(
                    index,
                    "stance" if same_codes else "code",
                    tuple(sorted(f"{c}.{s}" for c, s in true_pairs - guessed_pairs)),
                    tuple(sorted(f"{c}.{s}" for c, s in guessed_pairs - true_pairs)),
                )
            )
    total = sum(len(rows) for rows in bins)
    calibration = tuple(
        (
            number / 10,
            sum(confidence for confidence, _ in rows) / len(rows),
            sum(right for _, right in rows) / len(rows),
            len(rows),
        )
        for number, rows in enumerate(bins)
        if rows
    )
    code_scores = {code: Score(c["right"], c["extra"], c["missed"]) for code, c in sorted(codes.items())}
    in_gold = [score for score in code_scores.values() if score.right + score.missed]
    return Evaluation(
        passages=len(gold),
        codes=code_scores,
        stances={s: Score(c["right"], c["extra"], c["missed"]) for s, c in sorted(stances.items())},
        flags=Score(flags["right"], flags["extra"], flags["missed"]),
        macro_f1=sum(score.f1 for score in in_gold) / len(in_gold) if in_gold else 0.0,
        micro=Score(
            sum(s.right for s in code_scores.values()),
            sum(s.extra for s in code_scores.values()),
            sum(s.missed for s in code_scores.values()),
        ),
        stance_accuracy=agreement / shared_count if shared_count else 0.0,
        shared_codes=shared_count,
        span_iou=overlap / shared_count if shared_count else 0.0,
        span_half=half / shared_count if shared_count else 0.0,
        exact_passages=exact / len(gold) if gold else 0.0,
        calibration=calibration,
        calibration_error=sum(abs(mean - share) * n for _, mean, share, n in calibration) / total if total else 0.0,
        confusion=dict(sorted(confusion.items())),
        misses=tuple(misses),
    )


def pairs_told_apart(
    pairs: Sequence[str],
    gold: Sequence[Sequence[Label]],
    predicted: Sequence[Sequence[Label]],
    flag_stances: frozenset[str],
) -> dict[str, tuple[int, int]]:
    """Wordings told apart and wordings in all, for each confusable pair.

    A wording that should raise a flag is told apart when one of its flag-raising codes is flagged; a look-alike is when
    nothing is. ``pairs`` names the pair of each passage.
    """
    counts: dict[str, tuple[int, int]] = {}
    for pair, truth, guess in zip(pairs, gold, predicted, strict=True):
        wanted = {label.code for label in truth if label.stance in flag_stances}
        raised = {label.code for label in guess if label.stance in flag_stances}
        right = bool(wanted & raised) if wanted else not raised
        apart, total = counts.get(pair, (0, 0))
        counts[pair] = (apart + right, total + 1)
    return counts
