"""What the flags find and what they miss: precision and recall by code, from a sample of passages coded without seeing them.

A passage stands for as many as its stratum has for each that was drawn (Horvitz and Thompson 1952). Intervals are
percentile intervals of a seeded bootstrap within strata.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from data.codebook import Codebook, load_codebook
from data.decisions import Decision, settle
from data.sampling import Sample, SampleError, What
from data.store import rows

FEW = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """One settled passage: its stratum, what the machine raised, and what people say it carries."""

    stratum: str
    machine: frozenset[str]
    people: frozenset[str]


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision and recall of one code with 95 % intervals; None where nothing was raised, or nothing was there."""

    code: str
    raised: int
    there: int
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    warning: str


_RAISED = """
SELECT DISTINCT u.unit, f.code FROM passage_units u
JOIN flags f ON f.text_id = u.text_id AND f.ordinal = u.ordinal AND f.raises
WHERE u.unit IN (SELECT unnest(?::VARCHAR[]))
"""


def judged(
    connection: duckdb.DuckDBPyConnection,
    sample: Sample,
    decisions: Sequence[Decision],
    codebook: Codebook | None = None,
) -> list[Judged]:
    """The settled passages of *sample* beside what the machine raised on them.

    Raises ``SampleError`` for a sample of flags: what was missed cannot be seen there.
    """
    if sample.what != What.PASSAGES:
        raise SampleError(f"{sample.sample} is a sample of {sample.what}; recall needs one of passages.")
    flags = (codebook or load_codebook()).flag_stances
    raised: dict[str, set[str]] = {}
    units = sample.assigned()
    for row in rows(connection, _RAISED, [[item.unit for item in units]]):
        raised.setdefault(row["unit"], set()).add(row["code"])
    settled = settle(decisions)
    return [
        Judged(
            item.stratum,
            frozenset(raised.get(item.unit, ())),
            frozenset(label.code for label in settled[item.unit].labels if label.stance in flags),
        )
        for item in units
        if item.unit in settled and settled[item.unit].how != "open"
    ]


def quality(found: Sequence[Judged], frame: Mapping[str, int], *, draws: int = 500, seed: int = 1) -> list[Quality]:
    """Precision and recall of every code that was raised or found; *frame* is the size of each stratum."""
    codes = sorted({code for item in found for code in item.machine | item.people})
    return [_quality(code, found, frame, draws, seed) for code in ["any flag", *codes]]


def _quality(code: str, found: Sequence[Judged], frame: Mapping[str, int], draws: int, seed: int) -> Quality:
    import numpy

    def has(labels: Collection[str]) -> bool:
        return bool(labels) if code == "any flag" else code in labels

    by_stratum: dict[str, list[tuple[bool, bool]]] = {}
    for item in found:
        by_stratum.setdefault(item.stratum, []).append((has(item.machine), has(item.people)))
    random = numpy.random.default_rng(seed)
    cells = {name: _cells(pairs) for name, pairs in by_stratum.items()}
    value = _shares([(frame[name] / sum(counts), counts) for name, counts in cells.items()])
    drawn: list[list[float]] = [[], []]
    for _ in range(draws):
        again = []
        for name, counts in cells.items():
            size = sum(counts)
            again.append((frame[name] / size, random.multinomial(size, [count / size for count in counts]).tolist()))
        for values, share in zip(drawn, _shares(again), strict=True):
            if share is not None:
                values.append(share)
    spread = [
        (float(numpy.percentile(values, 2.5)), float(numpy.percentile(values, 97.5))) if values else (None, None)
        for values in drawn
    ]
    raised = sum(counts[0] + counts[1] for counts in cells.values())
    there = sum(counts[0] + counts[2] for counts in cells.values())
    few = min(raised, there) < FEW
    warning = f"fewer than {FEW} in the sample: hardly a figure yet" if few else ""
    (low, high), (low_recall, high_recall) = spread
    return Quality(code, raised, there, value[0], low, high, value[1], low_recall, high_recall, warning)


def _cells(pairs: Sequence[tuple[bool, bool]]) -> list[int]:
    """Raised and there, raised only, there only, neither."""
    return [pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))]


def _shares(strata: Sequence[tuple[float, Sequence[int]]]) -> tuple[float | None, float | None]:
    both, only, missed = (sum(weight * counts[at] for weight, counts in strata) for at in range(3))
    precision = both / (both + only) if both + only else None
    recall = both / (both + missed) if both + missed else None
    return precision, recall
