"""Agreement between coders: Cohen's kappa, Krippendorff's alpha, percent agreement and base rate, with intervals.

Formulas are those of ``statsmodels`` (Cohen 1960) and ``krippendorff`` (Krippendorff, Computing Krippendorff's
Alpha-Reliability, 2011: nominal data, any number of coders, missing values). Intervals are percentile intervals of a seeded
bootstrap over units. An answer "unsure" is a missing value, never a third category.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from data.codebook import Codebook, load_codebook
from data.decisions import Decision, Role, last_decisions

FEW_UNITS: Final = 100
FEW_POSITIVES: Final = 10
DO_NOT_EXPORT, TENTATIVE = 0.667, 0.800
"""Krippendorff, Content Analysis (4th ed.), 12.5: below .667 draw no conclusion, up to .800 only tentative ones."""

Ratings = Mapping[str, Mapping[str, Any]]
"""Unit to coder to value; a coder who gave none is left out."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure with its interval; ``value`` is None where it is not defined, and ``why`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on one question (is this code there? which stance is it?) over the units that several coders answered."""

    level: str
    name: str
    units: int
    coders: int
    base_rate: float | None
    percent: Measured
    kappa: Measured
    alpha: Measured
    warnings: tuple[str, ...]


def percent_agreement(ratings: Ratings) -> float | None:
    """The share of pairs of answers to the same unit that are equal; every unit weighs the same."""
    shares = []
    for values in ratings.values():
        pairs = list(combinations(values.values(), 2))
        if pairs:
            shares.append(sum(a == b for a, b in pairs) / len(pairs))
    return sum(shares) / len(shares) if shares else None


def cohens_kappa(pairs: Sequence[tuple[Any, Any]]) -> float | None:
    """Cohen's kappa of two coders; None where both used one and the same value throughout (it is 0/0 there)."""
    from statsmodels.stats.inter_rater import cohens_kappa as kappa

    values = sorted({value for pair in pairs for value in pair}, key=str)
    if len(values) < 2 or not pairs:
        return None
    place = {value: at for at, value in enumerate(values)}
    table = [[0] * len(values) for _ in values]
    for a, b in pairs:
        table[place[a]][place[b]] += 1
    return float(kappa(table, return_results=False))


def mean_kappa(ratings: Ratings) -> float | None:
    """Cohen's kappa of every pair of coders, averaged by the units they share (Light 1971 for more than two)."""
    by_pair: dict[tuple[str, str], list[tuple[Any, Any]]] = {}
    for values in ratings.values():
        for (one, a), (two, b) in combinations(sorted(values.items()), 2):
            by_pair.setdefault((one, two), []).append((a, b))
    total = weight = 0.0
    for pairs in by_pair.values():
        kappa = cohens_kappa(pairs)
        if kappa is not None:
            total, weight = total + kappa * len(pairs), weight + len(pairs)
    return total / weight if weight else None


def krippendorffs_alpha(ratings: Ratings) -> float | None:
    """Alpha for nominal data; None where fewer than two values occur or no unit has two answers."""
    counts = _counts(ratings)
    return None if counts is None else _alpha(counts)


def _counts(ratings: Ratings) -> Any:
    import numpy

    pairable = [list(values.values()) for values in ratings.values() if len(values) > 1]
    names = sorted({value for values in pairable for value in values}, key=str)
    if len(names) < 2:
        return None
    place = {name: at for at, name in enumerate(names)}
    counts = numpy.zeros((len(pairable), len(names)), dtype=int)
    for row, values in enumerate(pairable):
        for value in values:
            counts[row, place[value]] += 1
    return counts


def _alpha(counts: Any) -> float | None:
    import krippendorff

    used = counts[:, counts.sum(axis=0) > 0]
    if used.shape[1] < 2:
        return None
    return float(krippendorff.alpha(value_counts=used, level_of_measurement="nominal"))


def measure(
    level: str, name: str, ratings: Ratings, *, positive: Any = None, draws: int = 1000, seed: int = 1
) -> Agreement:
    """All figures on one question. *positive* is the value whose share is the base rate.

    The bootstrap resamples units *draws* times; draws in which a figure is not defined are left out of its interval.
    """
    pairable = {unit: dict(values) for unit, values in ratings.items() if len(values) > 1}
    answers = [value for values in pairable.values() for value in values.values()]
    coders = {coder for values in pairable.values() for coder in values}
    base = sum(value == positive for value in answers) / len(answers) if answers and positive is not None else None
    percent, kappa, alpha = percent_agreement(pairable), mean_kappa(pairable), krippendorffs_alpha(pairable)
    spread = _bootstrap(pairable, draws, seed) if answers else {}
    why = "" if len(set(answers)) > 1 else "only one value occurs" if answers else "no unit was coded by two"
    return Agreement(
        level=level,
        name=name,
        units=len(pairable),
        coders=len(coders),
        base_rate=base,
        percent=_measured(percent, spread.get("percent"), why if percent is None else ""),
        kappa=_measured(kappa, spread.get("kappa"), why or ("" if kappa is not None else "not defined")),
        alpha=_measured(alpha, spread.get("alpha"), why or ("" if alpha is not None else "not defined")),
        warnings=tuple(_warnings(len(pairable), answers, positive, alpha)),
    )


def _measured(value: float | None, spread: tuple[float, float] | None, why: str) -> Measured:
    if value is None:
        return Measured(None, None, None, why)
    return Measured(value, *(spread or (None, None)))


def _warnings(units: int, answers: list[Any], positive: Any, alpha: float | None) -> Iterable[str]:
    if units < FEW_UNITS:
        yield f"fewer than {FEW_UNITS} units were coded by two"
    if positive is not None:
        positives = sum(value == positive for value in answers)
        if positives == 0:
            yield "nobody used it: nothing can be said about agreement on it"
        elif min(positives, len(answers) - positives) < 2 * FEW_POSITIVES:
            yield "rare in the sample: kappa and alpha are unstable; see percent agreement and base rate"
    if alpha is not None and alpha < DO_NOT_EXPORT:
        yield f"alpha below {DO_NOT_EXPORT}: draw no conclusion from this"
    elif alpha is not None and alpha < TENTATIVE:
        yield f"alpha below {TENTATIVE:.3f}: tentative conclusions only"


def _bootstrap(ratings: Ratings, draws: int, seed: int) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals. Units with the same answers are alike, so draws are multinomial over the kinds of units."""
    import numpy

    kinds: dict[tuple[tuple[str, Any], ...], int] = {}
    for values in ratings.values():
        key = tuple(sorted(values.items()))
        kinds[key] = kinds.get(key, 0) + 1
    if not kinds or draws < 1:
        return {}
    keys = list(kinds)
    numbers = numpy.array([kinds[key] for key in keys])
    random = numpy.random.default_rng(seed)
    found: dict[str, list[float]] = {"percent": [], "kappa": [], "alpha": []}
    names = sorted({value for key in keys for _, value in key}, key=str)
    rows = numpy.array([[sum(value == name for _, value in key) for name in names] for key in keys])
    same = numpy.array([percent_agreement({"u": dict(key)}) for key in keys])
    pairs = [list(combinations(key, 2)) for key in keys]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for drawn in random.multinomial(numbers.sum(), numbers / numbers.sum(), size=draws):
            found["percent"].append(float((same * drawn).sum() / drawn.sum()))
            kappa = _weighted_kappa(pairs, drawn, names)
            if kappa is not None:
                found["kappa"].append(kappa)
            if len(names) > 1:
                alpha = _alpha(numpy.repeat(rows, drawn, axis=0))
                if alpha is not None:
                    found["alpha"].append(alpha)
    return {
        name: (float(numpy.percentile(values, 2.5)), float(numpy.percentile(values, 97.5)))
        for name, values in found.items()
        if len(values) >= draws / 2
    }


def _weighted_kappa(pairs: Sequence[Sequence[tuple[Any, Any]]], drawn: Any, names: Sequence[Any]) -> float | None:
    from statsmodels.stats.inter_rater import cohens_kappa as kappa

    place = {name: at for at, name in enumerate(names)}
    tables: dict[tuple[str, str], list[list[int]]] = {}
    for kind, count in zip(pairs, drawn, strict=True):
        for (one, a), (two, b) in kind:
            table = tables.setdefault((one, two), [[0] * len(names) for _ in names])
            table[place[a]][place[b]] += int(count)
    total = weight = 0.0
    for table in tables.values():
        used = [at for at in range(len(names)) if sum(table[at]) or sum(row[at] for row in table)]
        if len(used) < 2:
            continue
        size = sum(map(sum, table))
        value = float(kappa([[table[a][b] for b in used] for a in used], return_results=False))
        total, weight = total + value * size, weight + size
    return total / weight if weight else None


# --- from decisions


def double_coded(decisions: Iterable[Decision], samples: Iterable[str] = ()) -> dict[str, dict[str, Decision]]:
    """Unit to coder to what counts, for units that two or more coders answered. Adjudications are no codings."""
    wanted = set(samples)
    found: dict[str, dict[str, Decision]] = {}
    for item in last_decisions(decisions).values():
        if item.role == Role.CODER and item.answered and (not wanted or item.sample in wanted):
            found.setdefault(item.unit, {})[item.coder] = item
    return {unit: values for unit, values in found.items() if len(values) > 1}


def agreement(
    decisions: Iterable[Decision],
    *,
    samples: Iterable[str] = (),
    codebook: Codebook | None = None,
    draws: int = 1000,
    seed: int = 1,
) -> list[Agreement]:
    """Agreement on whether a unit raises a flag, on every code, and on the stance of codes that both named.

    *samples* limits it to decisions made for these samples (blind double coding); without it every unit that two coders
    decided is used.
    """
    codebook = codebook or load_codebook()
    units = double_coded(decisions, samples)
    flags = codebook.flag_stances

    def code_values(name: str) -> Ratings:
        return {
            unit: {coder: any(label.code == name for label in item.label_set()) for coder, item in values.items()}
            for unit, values in units.items()
        }

    found = [
        measure(
            "raises",
            "any flag",
            {
                unit: {c: any(label.stance in flags for label in d.label_set()) for c, d in values.items()}
                for unit, values in units.items()
            },
            positive=True,
            draws=draws,
            seed=seed,
        )
    ]
    used = {label.code for values in units.values() for item in values.values() for label in item.label_set()}
    found += [
        measure("code", code, code_values(code), positive=True, draws=draws, seed=seed)
        for code in codebook.code_ids
        if code in used
    ]
    stances = _stance_ratings(units)
    found.append(measure("stances", "all", stances, draws=draws, seed=seed))
    present = {value for values in stances.values() for value in values.values()}
    for stance in codebook.stance_ids:
        if stance in present:
            one = {unit: {c: value == stance for c, value in values.items()} for unit, values in stances.items()}
            found.append(measure("stance", stance, one, positive=True, draws=draws, seed=seed))
    return found


def _stance_ratings(units: Mapping[str, Mapping[str, Decision]]) -> dict[str, dict[str, str]]:
    """``unit code`` to coder to stance, where a coder gave that code exactly one stance and at least two coders did."""
    found: dict[str, dict[str, str]] = {}
    for unit, values in units.items():
        for coder, item in values.items():
            labels = sorted(item.label_set(), key=str)
            for code in {label.code for label in labels}:
                stances = [label.stance for label in labels if label.code == code]
                if len(stances) == 1:
                    found.setdefault(f"{unit} {code}", {})[coder] = stances[0]
    return {name: values for name, values in found.items() if len(values) > 1}
